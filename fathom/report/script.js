// Small touches that the page can do without: copy buttons, the section in sight, everything open on paper.
"use strict";

for (const block of document.querySelectorAll("pre.command")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    const code = block.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code); // no clipboard here: select the text instead
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  block.append(button);
}

const links = new Map();
for (const link of document.querySelectorAll("nav.side a")) links.set(link.hash.slice(1), link);
const inSight = new Set();
const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) inSight[entry.isIntersecting ? "add" : "delete"](entry.target.id);
    const current = [...links.keys()].find((id) => inSight.has(id));
    if (!current) return;
    for (const [id, link] of links) link.toggleAttribute("aria-current", id === current);
  },
  { rootMargin: "-10% 0px -60% 0px" },
);
for (const section of document.querySelectorAll("main section[id]")) observer.observe(section);

addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details")) part.open = true;
});
