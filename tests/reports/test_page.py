"""The HTML page in headless Chromium, light and dark, on a desk and on a telephone: nothing is loaded, no script runs, every text stands out from what is
behind it, nothing overflows, and the pictures have the cells that the claims ask for.

    python3 test_page.py PATH_TO_AXECERT CHROMIUM

Only the Python standard library. The page has no script of its own, so a page around it (srcdoc of a frame) measures it and writes what it saw as JSON.

Requirements: TOR-601.
"""

import html
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))
CHROMIUM = sys.argv[2]
from test_cli import INCOMPLETE, SAFE, UNSAFE, Case, write_safetensors  # noqa: E402 (it takes its program from sys.argv)

MEASURE = """
<!doctype html><meta charset="utf-8"><style>html,body{margin:0}iframe{border:0;width:WIDTHpx;height:900px}</style>
<iframe id="f" srcdoc="PAGE"></iframe><pre id="out">nothing</pre><script>
const frame = document.getElementById("f");
function channels(text) { const m = text.match(/[\\d.]+/g).map(Number); return m.length == 3 ? [...m, 1] : m; }
function luminance(c) { const f = v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }; return 0.2126 * f(c[0]) + 0.7152 * f(c[1]) + 0.0722 * f(c[2]); }
function contrast(a, b) { const x = luminance(a), y = luminance(b); return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); }
function behind(w, e) { for (; e; e = e.parentElement) { const c = channels(w.getComputedStyle(e).backgroundColor); if (c[3] > 0) return c; } return [255, 255, 255, 1]; }
frame.onload = () => {
  const w = frame.contentWindow, d = frame.contentDocument, seen = {least: 99, texts: 0, low: [], wide: []};
  const walk = d.createTreeWalker(d.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
    if (!text || e.closest("title, style")) continue;
    const s = w.getComputedStyle(e), svg = e.namespaceURI.endsWith("svg"), ratio = contrast(channels(svg ? s.fill : s.color), behind(w, e));
    ++seen.texts;
    seen.least = Math.min(seen.least, ratio);
    if (ratio < 4.5) seen.low.push([text.slice(0, 40), ratio]);
  }
  // Whatever is wider than the page must lie in something that scrolls.
  for (const e of d.body.querySelectorAll("*")) {
    if (e.getBoundingClientRect().right > d.documentElement.clientWidth + 1 && !e.closest(".scroll")) seen.wide.push(e.tagName + " " + e.textContent.slice(0, 40));
  }
  seen.scroll = d.documentElement.scrollWidth - d.documentElement.clientWidth;
  seen.dark = w.matchMedia("(prefers-color-scheme: dark)").matches;
  seen.page = channels(w.getComputedStyle(d.body).backgroundColor);
  seen.loaded = w.performance.getEntriesByType("resource").map(r => r.name);
  seen.pictures = [...d.querySelectorAll("svg")].map(s => { const b = s.getBoundingClientRect(); return {width: b.width, height: b.height,
      classes: [...new Set([...s.querySelectorAll("rect")].map(r => r.getAttribute("class")))],
      fills: [...new Set([...s.querySelectorAll("rect")].map(r => w.getComputedStyle(r).fill))].length}; });
  seen.headings = [...d.querySelectorAll("h1,h2")].map(h => h.textContent);
  seen.text = d.body.innerText;
  document.getElementById("out").textContent = JSON.stringify(seen);
};
</script>
"""


class Page(Case):
    def seen(self, page, dark, width=1280):
        """What the page is in a browser."""
        around = self.path / "around.html"
        around.write_text(MEASURE.replace("WIDTH", str(width)).replace("PAGE", html.escape(page.read_text(), quote=True)))
        command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                   f"--user-data-dir={self.path / 'profile'}", f"--blink-settings=preferredColorScheme={0 if dark else 1}", f"--window-size={width},1000",
                   "--virtual-time-budget=5000", "--dump-dom", around.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "HOME": str(self.path)})
        found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.S)
        self.assertTrue(found and found.group(1) != "nothing", done.stderr[-2000:])
        seen = json.loads(html.unescape(found.group(1)))
        self.assertEqual(seen["dark"], dark)
        return seen

    def check(self, page, width=1280):
        """Light and dark; returns what was seen in the light."""
        found = []
        for dark in (False, True):
            seen = self.seen(page, dark, width)
            with self.subTest(page=page.name, dark=dark, width=width):
                self.assertEqual(seen["loaded"], [])
                self.assertEqual(seen["low"], [])
                self.assertGreater(seen["texts"], 20)
                self.assertEqual((seen["scroll"], seen["wide"]), (0, []))
                self.assertTrue(all(v < 40 for v in seen["page"][:3]) if dark else all(v > 240 for v in seen["page"][:3]), seen["page"])
                for picture in seen["pictures"]:
                    self.assertGreater(picture["width"] * picture["height"], 100)
                    self.assertEqual(picture["fills"], len(picture["classes"]))  # classes that differ look different
            found.append(seen)
        self.assertEqual(found[0]["text"], found[1]["text"])
        return found[0]

    def test_a_page_of_safe_and_unsafe_layers(self):
        random.seed(3)
        wide = [random.randint(-90, 90) for _ in range(300 * 256)]
        write_safetensors(self.path / "w.safetensors", {"encoder.layers.0.attention.output.dense.weight": ("|i1", (300, 256), wide), "tiny.weight": ("|i1", (1, 2), [1, -1])})
        self.run_axecert("certify", "w.safetensors", "-d", "x86-avx2-maddubs", "-o", "c.axec", code=UNSAFE)
        self.run_axecert("report", "c.axec", "w.safetensors", "--z3", "none", "--html", "unsafe.html", code=UNSAFE)
        for width in (1280, 390):
            seen = self.check(self.path / "unsafe.html", width)
        classes = {name for picture in seen["pictures"] for name in picture["classes"]}
        self.assertIn("over", classes)
        self.assertGreaterEqual(len(classes), 4)
        self.assertEqual(len(seen["pictures"]), 1)  # of the pairs; the other stages' registers are nearly empty, and say so
        self.assertEqual(seen["text"].count("the fullest register uses"), 3)
        # Worst registers, witness, what it then holds, assumptions, and how far each voter got.
        for words in ("encoder.layers.0.attention.output.dense", "unsafe", "38,700", "checker", "replay", "255 × ", "holds", "kernel sends every product"):
            self.assertIn(words.replace(" ", "\u00a0") if words.endswith("× ") else words, seen["text"])

    def test_a_safe_page_and_one_without_a_verdict(self):
        self.quantize()
        self.run_axecert("report", "out/certificate.axec", "out/weights.safetensors", "--html", "safe.html", code=SAFE)
        seen = self.check(self.path / "safe.html")
        self.assertNotIn("over", {name for picture in seen["pictures"] for name in picture["classes"]})
        self.assertIn("z3", seen["text"])
        self.run_axecert("report", "out/certificate.axec", "out/weights.safetensors", "--z3", "bits", "--html", "open.html", code=INCOMPLETE)
        self.check(self.path / "open.html")

    def test_the_browser_sees_what_is_wrong(self):
        """Each check fails on a page that has the fault."""
        page = self.path / "bad.html"
        for fault in ('<p style="color:#bbb">pale</p>', '<div style="width:3000px">wide</div>', '<img src="http://127.0.0.1:9/nowhere.png">'):
            page.write_text(f"<!doctype html><title>t</title><body style='background:#fff;color:#000'>{'<p>text</p>' * 30}{fault}")
            seen = self.seen(page, False)
            self.assertTrue(seen["low"] or seen["scroll"] or seen["loaded"], fault)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
