/** The style of the report page: one column, light and dark, quiet on paper. */
export const style = `
:root {
  color-scheme: light dark;
  --paper: light-dark(#fbfaf7, #14171c); --sheet: light-dark(#ffffff, #1b1f26);
  --ink: light-dark(#1d2430, #e4e7ec); --quiet: light-dark(#5d6675, #98a2b3);
  --rule: light-dark(#e2e0d9, #2e3540); --good: light-dark(#1a7048, #5cc795);
  --bad: light-dark(#b3261e, #ff8a80); --unknown: light-dark(#8a5a00, #f0bd5a);
  --home: light-dark(#7a8aa6, #8093b5); --standby: light-dark(#2f9e6d, #3fae7d);
  --nightshift: light-dark(#3d5a98, #7d9be0); --aws: light-dark(#b9c2d3, #566179);
  --people: light-dark(#d9a441, #c9983c); --safety: light-dark(#8f6bb3, #a483c9);
  --gap: light-dark(#b3261e12, #ff8a8016);
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 36px 28px 64px; }
header p { margin: 0; color: var(--quiet); }
h1 { margin: 4px 0 14px; font-size: 32px; line-height: 1.2; letter-spacing: -0.015em; }
h1.good { color: var(--good); } h1.bad { color: var(--bad); } h1.unknown { color: var(--unknown); }
h2 { margin: 40px 0 10px; font-size: 18px; letter-spacing: -0.005em; }
h3 { margin: 24px 0 8px; font-size: 15px; }
h3 .good { color: var(--good); } h3 .bad { color: var(--bad); } h3 .unknown { color: var(--unknown); }
.verdicts { list-style: none; margin: 18px 0 0; padding: 0; font-size: 17px; }
.verdicts li { padding: 3px 0 3px 30px; position: relative; }
.verdicts li::before { position: absolute; left: 2px; font-weight: 700; }
li.good::before { content: "✓"; color: var(--good); }
li.bad::before { content: "✗"; color: var(--bad); }
li.unknown::before { content: "?"; color: var(--unknown); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 1px;
  margin: 24px 0 0; background: var(--rule); border: 1px solid var(--rule); border-radius: 8px;
  overflow: hidden; }
.tiles div { background: var(--sheet); padding: 12px 16px; }
.tiles dt { color: var(--quiet); font-size: 13px; }
.tiles dd { margin: 0; font-size: 21px; white-space: nowrap; font-variant-numeric: tabular-nums; }
.tiles dd.bad { color: var(--bad); } .tiles dd.unknown { color: var(--unknown); }
.tiles small { display: block; white-space: normal; color: var(--quiet); font-size: 13px; }
figure { margin: 0; padding: 16px 14px 8px; background: var(--sheet); overflow-x: auto;
  border: 1px solid var(--rule); border-radius: 8px; }
svg { display: block; width: 100%; min-width: 820px; height: auto;
  font-family: inherit; font-size: 12px; }
svg text { fill: var(--ink); }
.grid { stroke: var(--rule); } .base { stroke: var(--quiet); }
svg .tick, svg .unit { fill: var(--quiet); font-size: 11px; font-variant-numeric: tabular-nums; }
.tick { text-anchor: middle; } .phase, .unit { text-anchor: end; }
svg .took { fill: var(--quiet); font-size: 11px; paint-order: stroke;
  stroke: var(--sheet); stroke-width: 3px; }
.bar { fill: var(--nightshift); } .bar.aws { fill: var(--aws); }
.bar.people { fill: var(--people); } .bar.safety { fill: var(--safety); }
.bar.beside { fill-opacity: 0.55; }
.gap { fill: var(--gap); }
svg .gap-words { text-anchor: middle; fill: var(--bad); font-size: 13px; paint-order: stroke;
  stroke: var(--sheet); stroke-width: 4px; }
.area { fill-opacity: 0.35; stroke-width: 1.5; stroke-linejoin: round; }
.area.home { fill: var(--home); stroke: var(--home); }
.area.standby { fill: var(--standby); stroke: var(--standby); }
svg .where { font-weight: 600; stroke-width: 3px; stroke-opacity: 0.7; }
.failed { fill: none; stroke: var(--bad); stroke-width: 1.3; stroke-dasharray: 4 3; }
svg .unit.bad { fill: var(--bad); }
.pole { stroke: var(--quiet); stroke-dasharray: 2 3; }
.pole.incident, .pole.fault { stroke: var(--bad); stroke-dasharray: none; }
.pole.served { stroke: var(--good); stroke-dasharray: none; }
.flag, .took, .where { paint-order: stroke; stroke: var(--sheet); stroke-width: 4px;
  stroke-linejoin: round; }
.flag { font-size: 11.5px; }
.flag .time { fill: var(--quiet); font-variant-numeric: tabular-nums; font-weight: 400; }
svg .flag.incident, svg .flag.fault { fill: var(--bad); font-weight: 600; }
svg .flag.served { fill: var(--good); font-weight: 600; }
figcaption { color: var(--quiet); font-size: 13px; padding: 8px 4px 4px; }
.key { display: inline-block; width: 12px; height: 12px; border-radius: 2px; margin: 0 5px 0 14px;
  vertical-align: -1px; }
.key:first-child { margin-left: 0; }
.key.nightshift { background: var(--nightshift); } .key.aws { background: var(--aws); }
.key.people { background: var(--people); } .key.safety { background: var(--safety); }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; background: var(--sheet); font-size: 14px;
  border: 1px solid var(--rule); border-radius: 8px; }
th { text-align: left; color: var(--quiet); font-weight: 500; font-size: 13px; }
th, td { padding: 7px 12px; border-bottom: 1px solid var(--rule); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td.time, td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
td.time:first-child { width: 6em; }
td.number, th.number { text-align: right; }
td.who { white-space: nowrap; color: var(--quiet); }
td { overflow-wrap: anywhere; } td.word { white-space: nowrap; overflow-wrap: normal; }
p.bad { color: var(--bad); font-weight: 600; }
td.good { color: var(--good); } td.bad { color: var(--bad); font-weight: 600; }
td.unknown { color: var(--unknown); font-weight: 600; }
tr.bad td { background: var(--gap); }
tr.key-event td { font-weight: 600; }
blockquote { margin: 0; padding: 12px 18px; background: var(--sheet); white-space: pre-line;
  border-left: 4px solid var(--people); border-radius: 0 8px 8px 0; }
code { font: 13px/1.5 ui-monospace, "Liberation Mono", monospace; background: var(--rule);
  padding: 1px 5px; border-radius: 4px; }
footer { margin-top: 44px; padding-top: 14px; border-top: 1px solid var(--rule);
  color: var(--quiet); font-size: 14px; }
@media print {
  :root { color-scheme: light; }
  body { background: #fff; font-size: 11px; }
  main { max-width: none; padding: 0; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h1 { font-size: 22px; } h2 { margin-top: 22px; font-size: 14px; break-after: avoid; }
  .verdicts { font-size: 13px; } .tiles dd { font-size: 17px; }
  figure, tr, .tiles, blockquote { break-inside: avoid; }
  svg { min-width: 0; } figure, .scroll { overflow: visible; }
  table { font-size: 10.5px; } th, td { padding: 4px 8px; } thead { display: table-header-group; }
  @page { margin: 14mm; }
}
`;
