/** How the page looks, in light and dark surroundings. The colours of engines are those of Okabe and Ito, which people with any kind of sight tell apart. */

interface Palette {
  readonly ink: string
  readonly faint: string
  readonly paper: string
  readonly panel: string
  readonly rule: string
  readonly engines: readonly string[]
}

const light: Palette = {
  ink: '#1f2328',
  faint: '#5b636b',
  paper: '#ffffff',
  panel: '#f6f7f8',
  rule: '#d5d9de',
  engines: ['#0072b2', '#d55e00', '#009e73', '#a3568c', '#8a6d00', '#3a7ca5'],
}

const dark: Palette = {
  ink: '#e6e9ec',
  faint: '#9aa4ae',
  paper: '#14171a',
  panel: '#1c2024',
  rule: '#363c43',
  engines: ['#56b4e9', '#f0843c', '#2fc79a', '#d98fc0', '#e6c229', '#9ecbe8'],
}

/** Engines that have colours of their own; the next begins with the first again. */
export const colours = light.engines.length

const variables = ({ ink, faint, paper, panel, rule, engines }: Palette): string =>
  [
    `--ink:${ink};--faint:${faint};--paper:${paper};--panel:${panel};--rule:${rule}`,
    ...engines.map((colour, at) => `--e${at}:${colour}`),
  ].join(';')

const engineClasses = light.engines.map((_, at) => `.e${at}{fill:var(--e${at})}.l${at}{stroke:var(--e${at})}`).join('')

/** The content of the `style` element. */
export const styleSheet = `:root{color-scheme:light dark;${variables(light)}}
@media (prefers-color-scheme:dark){:root{${variables(dark)}}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,'Segoe UI','DejaVu Sans',sans-serif}
main{max-width:1040px;margin:0 auto;padding:32px 20px 48px}
h1{font-size:28px;line-height:1.2;margin:0 0 8px;letter-spacing:-.01em}
h2{font-size:22px;margin:48px 0 4px;padding-top:16px;border-top:2px solid var(--ink)}
h3{font-size:17px;margin:32px 0 2px}
p{margin:0 0 12px;max-width:72ch}
.faint,.about{color:var(--faint)}
.about{font-size:13px;line-height:1.4;margin:4px 0 0}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;margin:12px 0 0;padding:0;list-style:none;font-weight:600}
.legend svg{width:14px;height:14px;margin-right:6px;vertical-align:-1px}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(290px,1fr));gap:16px;margin-top:12px}
.card{background:var(--panel);border-radius:6px;padding:12px 14px}
.card h4,.row h4{font-size:14px;line-height:1.3;margin:0 0 6px}
.rows{margin-top:12px}
.row{display:grid;grid-template-columns:minmax(180px,1fr) repeat(2,minmax(0,1.5fr));gap:4px 24px;padding:8px 0;border-top:1px solid var(--rule);align-items:start}
.row.head{border-top:0;padding-bottom:0;font-size:13px;font-weight:600}
.row h4{margin:0}
.row .about{margin:0}
svg.plot{display:block;width:100%;max-width:400px;height:auto}
.caption{display:none}
svg text{font:12px system-ui,'Segoe UI','DejaVu Sans',sans-serif;fill:var(--ink)}
svg .name,svg .tick{fill:var(--faint)}
svg .end{text-anchor:end}svg .middle{text-anchor:middle}
svg .grid{stroke:var(--rule);stroke-width:1}
svg .range{stroke-width:2;stroke-linecap:round;fill:none}
svg .thin{opacity:.55}
svg .wrong-bar{fill:#d1242f}
${engineClasses}
code{font:13px ui-monospace,'DejaVu Sans Mono',monospace;overflow-wrap:anywhere}
footer{margin-top:48px;padding-top:16px;border-top:1px solid var(--rule);font-size:14px}
.wrong{border-left:4px solid var(--e1);padding:8px 12px;background:var(--panel)}
@media (max-width:720px){.row{grid-template-columns:1fr}.row.head{display:none}.caption{display:block;margin:6px 0 0;font-size:13px;color:var(--faint)}h1{font-size:24px}}
`
