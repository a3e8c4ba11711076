// One drawing a frame at most, and one a second without events.

let scheduled = false;
function redraw() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    $("events").textContent = count(total.events);
    $("last").textContent = lastId ?? "none";
    drawList();
    drawCpu();
    drawMemory();
    drawLoad();
  });
}
let counted = 0;
setInterval(() => {
  $("rate").textContent = count(total.live - counted);
  counted = total.live;
  redraw();
}, 1000);
new ResizeObserver(redraw).observe(document.body);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
connect();
