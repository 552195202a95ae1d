// Three comforts; pages work without them.
"use strict";

// A button <button data-copy="id" data-done="Copied" hidden> copies the field of that id.
for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
    button.textContent = button.dataset.done;
  });
}

// A page that says <main data-live="seconds"> stays fresh: the same page is fetched and its <main> taken over. Never touches
// a page that someone is typing into, selecting from or not looking at.
(() => {
  const main = document.querySelector("main[data-live]");
  const seconds = Number(main?.dataset.live);
  if (!main || !(seconds >= 1)) return;
  let failures = 0;

  const isBusy = () => {
    const focus = document.activeElement;
    const typing = focus && main.contains(focus) && focus.matches("input, select, textarea, button, summary");
    const changed = (field) => (/^(checkbox|radio)$/.test(field.type) ? field.checked !== field.defaultChecked : field.value !== field.defaultValue);
    const filled = [...main.querySelectorAll("input, textarea")].some(changed);
    return document.hidden || typing || filled || String(document.getSelection()) !== "";
  };

  const refresh = async () => {
    if (isBusy()) return;
    const answer = await fetch(location.href, { headers: { "Druckwart-Live": "1" }, credentials: "same-origin" });
    if (answer.status === 401) return location.reload();
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("main[data-live]");
    // What the page may ask elsewhere is fixed when it is loaded.
    if (fresh?.querySelector("[data-ask]") && !main.querySelector("[data-ask]")) return location.reload();
    if (!fresh || isBusy() || fresh.innerHTML === main.innerHTML) return;
    const open = new Set([...main.querySelectorAll("details[open][id]")].map((element) => element.id));
    for (const element of fresh.querySelectorAll("details[id]")) element.open = open.has(element.id);
    main.replaceChildren(...fresh.childNodes);
  };

  const wait = () => {
    const pause = seconds * 1000 * Math.min(2 ** failures, 12);
    setTimeout(() => {
      refresh().then(
        () => { failures = 0; main.classList.remove("stale"); },
        () => { failures += 1; main.classList.toggle("stale", failures > 2); },
      ).finally(wait);
    }, pause);
  };
  wait();
})();

// An element <p data-ask="https://…" data-then="https://…"> is about another address of this machine: it is asked again and
// again, and once it answers the browser goes there. Where its certificate is not trusted yet no answer is to be had; the link
// beside it does the same by hand.
(() => {
  const ask = async () => {
    const element = document.querySelector("[data-ask]");
    if (!element) return;
    await fetch(element.dataset.ask, { mode: "no-cors", credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(4000) });
    location.assign(element.dataset.then);
  };
  const wait = () => setTimeout(() => ask().catch(() => {}).finally(wait), 2000);
  if (document.querySelector("[data-ask]")) wait();
})();
