# What an instance does at its first boot, and again whenever the application's container has ended.
# `region`, `prefix`, `image`, `port`, `database_host`, `database_port`, `cache_host`, `cache_port`,
# `behind_proxy` and `log_group` stand above this in user data. No secret does: they are read here, and
# kept in memory.
set -euo pipefail

home=${ROOT:-}/opt/application
memory=${ROOT:-}/run/application
trust=$home/rds.pem

fail() {
  echo "application: $*" >&2
  exit 1
}

# One secret, whole. What went wrong is said without what was read.
secret() {
  local value
  value=$(aws secretsmanager get-secret-value --region "$region" --secret-id "$prefix/$1" \
    --query SecretString --output text) || fail "secret $prefix/$1 cannot be read in $region"
  jq -e 'type == "object"' >/dev/null 2>&1 <<<"$value" || fail "secret $prefix/$1 is no JSON object"
  printf '%s' "$value"
}

# One field of a secret, by its path: text on one line that is not empty, and as it is with `.` or fit
# for a URL with `@uri`.
line='select(type == "string" and . != "" and (test("[\n\r]") | not))'
field() {
  jq -er "$2 | $line | ${4:-.}" 2>/dev/null <<<"$1" ||
    fail "secret $prefix/$3 has no $2 of one line"
}

# The keys of a ring that only open what they have closed before.
others() {
  jq -er "[.primary as \$primary | .keys | to_entries[]
    | select(.key != \$primary and .value.state != \"retired\") | .value.secret
    | if ([$line] | length) == 1 then . else error end] | join(\",\")" 2>/dev/null <<<"$1" ||
    fail "secret $prefix/$2 has an older key that is not of one line"
}

render() {
  local database cache signing encryption
  database=$(secret database)
  cache=$(secret cache)
  signing=$(secret signing-keys)
  encryption=$(secret encryption-keys)

  local user password name token signing_key signing_others encryption_key encryption_others
  user=$(field "$database" .username database @uri)
  password=$(field "$database" .password database @uri)
  name=$(field "$database" .database database @uri)
  token=$(field "$cache" .token cache @uri)
  signing_key=$(field "$signing" '.keys[.primary].secret' signing-keys)
  encryption_key=$(field "$encryption" '.keys[.primary].secret' encryption-keys)

  signing_others=$(others "$signing" signing-keys)
  encryption_others=$(others "$encryption" encryption-keys)

  umask 077
  mkdir -p "$memory"
  # The host is this region's own: a replicated secret names the database of the region it comes from.
  cat >"$memory/environment.new" <<VALUES
CLOUD_PROVIDER=aws
REGION=$region
DATABASE_URL=postgresql://$user:$password@$database_host:$database_port/$name?sslmode=verify-full&sslrootcert=/etc/ssl/rds.pem
REDIS_URL=rediss://:$token@$cache_host:$cache_port/0
SECRET_KEY=$signing_key
SECRET_KEY_FALLBACKS=$signing_others
ENCRYPTION_KEY=$encryption_key
ENCRYPTION_KEY_FALLBACKS=$encryption_others
VALUES
  mv "$memory/environment.new" "$memory/environment"
}

# An image that is here is not asked for again: a container restarts without the registry.
pull() {
  docker image inspect "$image" >/dev/null 2>&1 && return
  aws ecr get-login-password --region "$region" |
    docker login --username AWS --password-stdin "${image%%/*}" >/dev/null
  docker pull --quiet "$image"
}

# In the place of this shell, so that the service is the container.
start() {
  exec docker run --rm --name application --env-file "$memory/environment" \
    --publish "$port:$port" --volume "$trust:/etc/ssl/rds.pem:ro" \
    --log-driver awslogs --log-opt awslogs-region="$region" --log-opt awslogs-group="$log_group" \
    --log-opt tag="$(hostname)/{{.ID}}" --log-opt mode=non-blocking \
    --stop-timeout 25 "$image"
}

memory_metrics() {
  local file=${ROOT:-}/opt/aws/amazon-cloudwatch-agent/etc/amazon-cloudwatch-agent.json
  mkdir -p "$(dirname "$file")"
  cat >"$file" <<'AGENT'
{
  "agent": { "metrics_collection_interval": 60, "omit_hostname": true },
  "metrics": {
    "namespace": "CWAgent",
    "append_dimensions": {
      "AutoScalingGroupName": "${aws:AutoScalingGroupName}",
      "InstanceId": "${aws:InstanceId}"
    },
    "aggregation_dimensions": [["AutoScalingGroupName"]],
    "metrics_collected": {
      "mem": { "measurement": ["mem_used_percent"] },
      "disk": { "measurement": ["used_percent"], "resources": ["/"], "drop_device": true }
    }
  }
}
AGENT
  systemctl enable --now amazon-cloudwatch-agent
}

boot() {
  dnf install -y docker jq amazon-cloudwatch-agent
  mkdir -p "$home"
  curl --fail --silent --show-error --retry 5 --retry-all-errors --output "$trust" \
    "https://truststore.pki.rds.amazonaws.com/$region/$region-bundle.pem"
  # RDS Proxy shows a certificate of ACM, which Amazon's public roots have signed, not those of RDS: the
  # system trusts them, as patches bring them. Sources: "Best practices" in the guide to RDS Proxy, "How to
  # configure and verify ACM certificates with trust stores". Without that file the boot ends here.
  if [ -n "$behind_proxy" ]; then
    cat "${ROOT:-}/etc/pki/tls/certs/ca-bundle.crt" >>"$trust"
  fi
  install -m 700 "$0" "$home/application"
  # Without its secrets the instance ends its boot here, and the load balancer never sees it healthy.
  render
  systemctl enable --now docker
  pull
  cat >"${ROOT:-}/etc/systemd/system/application.service" <<UNIT
[Unit]
Description=The application
After=docker.service network-online.target
Requires=docker.service
StartLimitIntervalSec=0

[Service]
ExecStartPre=-/usr/bin/docker rm --force application
ExecStartPre=$home/application render
ExecStartPre=$home/application pull
ExecStart=$home/application start
ExecStop=/usr/bin/docker stop application
Restart=always
RestartSec=5
TimeoutStartSec=300

[Install]
WantedBy=multi-user.target
UNIT
  systemctl daemon-reload
  systemctl enable --now application
  memory_metrics
}

"${1:-boot}"
