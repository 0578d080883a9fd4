#!/bin/bash
# Passes on what private subnets send to the internet, under this instance's own address.
set -euo pipefail

dnf install -y nftables
echo 'net.ipv4.ip_forward = 1' >/etc/sysctl.d/90-nat.conf
sysctl --load /etc/sysctl.d/90-nat.conf

outward=$(ip -4 route show default | awk '{ print $5; exit }')
cat >/etc/sysconfig/nftables.conf <<RULES
flush ruleset
table ip nat {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    oifname "$outward" masquerade
  }
}
RULES
systemctl enable --now nftables
