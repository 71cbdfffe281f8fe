"""Style and script of HTML pages: light and dark, tables that sort, galaxies that open."""

from __future__ import annotations

STYLE = """
:root{color-scheme:light dark;--ink:#1b1e23;--dim:#5a616b;--paper:#fff;--soft:#f3f4f6;
--line:#d8dce2;--link:#0b5cad;--good:#dcf2df;--fair:#fbf3cf;--bad:#fbdedb;--exact:#1b1e23;
--fast:#c2410c}
@media (prefers-color-scheme:dark){:root{--ink:#e4e6ea;--dim:#a3aab5;--paper:#15181d;--soft:#20242b;
--line:#3a404a;--link:#7ab7f5;--good:#1d3d26;--fair:#46401a;--bad:#4f2323;--exact:#e4e6ea;
--fast:#fb923c}}
*{box-sizing:border-box}
body{font:15px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);
max-width:1150px;margin:2em auto;padding:0 1em}
h1,h2,h3,p,li,summary,figcaption{overflow-wrap:anywhere}
h1{line-height:1.25}h2{margin-top:2em;border-bottom:1px solid var(--line)}
a{color:var(--link)}
pre{background:var(--soft);padding:.8em;overflow-x:auto;font-size:12px;border-radius:4px}
pre.words{white-space:pre-wrap;overflow-wrap:anywhere}
code{font-size:90%;overflow-wrap:anywhere}
figure{margin:1.5em 0;overflow-x:auto}
figure img{max-width:100%;background:#fff;border-radius:4px}
figcaption{color:var(--dim)}
.useless,.poor,.usable,.good{padding:.6em;border-radius:4px}
.useless,.poor{background:var(--bad)}.usable{background:var(--fair)}.good{background:var(--good)}
.beside{display:flex;flex-wrap:wrap;gap:0 2em}
.beside>*{flex:1 1 24em;min-width:0}
.lead li{margin:.3em 0}.lead ul{padding-left:1.2em}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:13px;margin:.5em 0}
td,th{padding:.2em .8em .2em 0;text-align:left;border-bottom:1px solid var(--line);
white-space:nowrap;font-variant-numeric:tabular-nums}
table.wraps td{white-space:normal;overflow-wrap:anywhere}table.wraps td:first-child{min-width:7em}
th button{font:inherit;font-weight:600;color:inherit;background:none;border:0;padding:0;
cursor:pointer}
th button::after{content:" \\2195";color:var(--dim);font-weight:400}
th[aria-sort=ascending] button::after{content:" \\2191"}
th[aria-sort=descending] button::after{content:" \\2193"}
td svg{display:block;color:var(--link)}
details{border-bottom:1px solid var(--line);padding:.3em 0}
summary{cursor:pointer}
details .beside>:first-child{flex:2 1 24em}
.plot svg{display:block;width:100%}
@media (max-width:700px){figure img{max-width:640px}}
"""

#: Sorts tables by a click on a head, and draws the galaxies of `html_galaxies` when they open.
SCRIPT = """
(() => {
const number = text => {
  const t = text.replace(/[,\\s]/g, '').replace('\\u2212', '-');
  return /^[-+]?[\\d.]/.test(t) ? parseFloat(t) : NaN;
};
const key = row => i => row.cells[i] ? row.cells[i].textContent.trim() : '';
const compare = (a, b) => {
  const x = number(a), y = number(b);
  if (!isNaN(x) && !isNaN(y)) return x - y;
  if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
  return a.localeCompare(b, undefined, {numeric: true});
};
for (const table of document.querySelectorAll('table.sortable')) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, i) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const sign = head.getAttribute('aria-sort') === 'descending' ? 1 : -1;
      heads.forEach(other => other.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', sign > 0 ? 'ascending' : 'descending');
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => sign * compare(key(a)(i), key(b)(i)));
      table.tBodies[0].append(...rows);
    });
  });
}

const template = document.createElement('template');
template.innerHTML = '<svg></svg>';
const NS = template.content.firstChild.namespaceURI;
const put = (svg, name, at, text) => {
  const node = document.createElementNS(NS, name);
  for (const k in at) node.setAttribute(k, at[k]);
  if (text !== undefined) node.textContent = text;
  svg.append(node);
  return node;
};
const ticks = (lo, hi, n) => {
  const raw = (hi - lo) / n, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(m => m * power).find(s => s >= raw * 0.999);
  const found = [];
  for (let t = Math.ceil(lo / step) * step; t <= hi + 1e-9 * step; t += step)
    found.push(+t.toPrecision(12));
  return found;
};
const decades = (lo, hi) => {
  const found = [];
  for (let p = -4; p <= 8; p++) for (const m of hi / lo > 60 ? [1] : hi / lo > 8 ? [1, 3] :
    [1, 1.5, 2, 3, 4, 5, 7]) if (m * 10 ** p >= lo && m * 10 ** p <= hi)
      found.push(+(m * 10 ** p).toPrecision(3));
  return found;
};
const range = values => {
  const good = values.filter(v => v !== null);
  let lo = Math.min(...good), hi = Math.max(...good);
  if (!(hi > lo)) { lo -= 1; hi += 1; }
  return [lo - 0.08 * (hi - lo), hi + 0.08 * (hi - lo)];
};
const draw = (box, galaxy, look) => {
  const W = Math.max(300, Math.min(760, box.clientWidth)), left = 56, right = W - 10;
  const top = [10, 220], low = [240, 340], H = 385;
  const svg = document.createElementNS(NS, 'svg');
  svg.setAttribute('viewBox', `0 0 ${W} ${H}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('font-size', '12');
  const x0 = Math.min(...galaxy.x) / 1.06, x1 = Math.max(...galaxy.x) * 1.06;
  const X = x => left + (right - left) * Math.log(x / x0) / Math.log(x1 / x0);
  const axis = ([y0, y1], [lo, hi], upside) => {
    const Y = v => upside ? y0 + (y1 - y0) * (v - lo) / (hi - lo)
      : y1 - (y1 - y0) * (v - lo) / (hi - lo);
    put(svg, 'rect', {x: left, y: y0, width: right - left, height: y1 - y0, fill: 'none',
      stroke: 'var(--line)'});
    for (const t of ticks(lo, hi, 5)) {
      put(svg, 'line', {x1: left, x2: right, y1: Y(t), y2: Y(t), stroke: 'var(--line)',
        'stroke-width': t ? 0.5 : 1.2});
      put(svg, 'text', {x: left - 5, y: Y(t) + 4, 'text-anchor': 'end', fill: 'var(--ink)'},
        String(t).replace('-', '\\u2212'));
    }
    return Y;
  };
  const name = (text, [y0, y1]) => put(svg, 'text', {'text-anchor': 'middle', fill: 'var(--ink)',
    transform: `translate(12 ${(y0 + y1) / 2}) rotate(-90)`}, text);
  const bars = galaxy.bars || galaxy.x.map(() => 0);
  const Y = axis(top, range([...galaxy.exact, ...galaxy.emulated]), look.upside);
  const R = axis(low, range(galaxy.residual.flatMap((r, i) =>
    r === null ? [0] : [0, r + bars[i], r - bars[i]])), false);
  name(look.y, top);
  name(look.residual, low);
  let last = -100;
  for (const t of decades(x0, x1)) {
    put(svg, 'line', {x1: X(t), x2: X(t), y1: low[1], y2: low[1] + 4, stroke: 'var(--ink)'});
    if (X(t) - last < 30) continue;
    put(svg, 'text', {x: X(t), y: low[1] + 17, 'text-anchor': 'middle', fill: 'var(--ink)'}, t);
    last = X(t);
  }
  put(svg, 'text', {x: (left + right) / 2, y: H - 6, 'text-anchor': 'middle', fill: 'var(--ink)'},
    look.x);
  const line = (values, F, colour, width) => {
    let path = '', pen = 'M';
    values.forEach((v, i) => {
      if (v === null) { pen = 'M'; return; }
      path += `${pen}${X(galaxy.x[i]).toFixed(1)} ${F(v).toFixed(1)}`;
      pen = 'L';
    });
    put(svg, 'path', {d: path, fill: 'none', stroke: colour, 'stroke-width': width});
  };
  if (look.kind === 'spectrum') {
    line(galaxy.exact, Y, 'var(--exact)', 2);
    line(galaxy.emulated, Y, 'var(--fast)', 1);
    line(galaxy.residual, R, 'var(--fast)', 1);
  } else galaxy.x.forEach((x, i) => {
    const told = `${galaxy.names[i]}: exact ${galaxy.exact[i]}, emulated ${galaxy.emulated[i]}`;
    const point = (y, at) => put(put(svg, 'circle', {cx: X(x), cy: y, ...at}), 'title', {}, told);
    if (galaxy.exact[i] !== null)
      point(Y(galaxy.exact[i]), {r: 6, fill: 'none', stroke: 'var(--exact)', 'stroke-width': 1.5});
    if (galaxy.emulated[i] !== null) point(Y(galaxy.emulated[i]), {r: 2.5, fill: 'var(--fast)'});
    const r = galaxy.residual[i];
    if (r === null) return;
    put(svg, 'line', {x1: X(x), x2: X(x), y1: R(r - bars[i]), y2: R(r + bars[i]),
      stroke: 'var(--fast)'});
    point(R(r), {r: 3, fill: 'var(--fast)'});
  });
  put(svg, 'text', {x: right - 8, y: top[1] - 26, 'text-anchor': 'end', fill: 'var(--exact)'},
    'exact');
  put(svg, 'text', {x: right - 8, y: top[1] - 10, 'text-anchor': 'end', fill: 'var(--fast)'},
    'emulated');
  box.replaceChildren(svg);
};
for (const group of document.querySelectorAll('.galaxies')) {
  const told = JSON.parse(group.querySelector('script').textContent);
  [...group.querySelectorAll('details')].forEach((details, i) => {
    const show = () => {
      if (details.open) draw(details.querySelector('.plot'), told.galaxies[i], told.look);
    };
    details.addEventListener('toggle', show);
    addEventListener('resize', show);
    show();
  });
}
})();
"""
