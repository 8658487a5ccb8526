(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const merged = (base, own) => {
    for (const [key, value] of Object.entries(own)) {
      base[key] = value && typeof value === "object" && !Array.isArray(value) ? merged(base[key] || {}, value) : value;
    }
    return base;
  };
  const layout = (own, height) => {
    const axis = () => ({ gridcolor: colour("--line"), linecolor: colour("--line"), zerolinecolor: colour("--line"),
      tickfont: { size: 12 }, title: { font: { size: 12 }, standoff: 8 }, automargin: true });
    const base = { height, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: true,
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("--ink") },
      margin: { l: 60, r: 16, t: 36, b: 48 }, xaxis: axis(), yaxis: axis(),
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 } },
      hoverlabel: { bgcolor: colour("--tint"), bordercolor: colour("--line"), font: { color: colour("--ink") } } };
    return merged(base, structuredClone(own));
  };
  const options = { displayModeBar: false, displaylogo: false, responsive: true };
  const draw = () => {
    for (const [name, figure] of Object.entries(figures)) {
      Plotly.react(name, figure.data, layout(figure.layout, figure.height), options);
    }
  };
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.documentElement.dataset.drawn = String(Object.keys(figures).length);
})();
