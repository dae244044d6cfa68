"use strict";
/* Draws the charts of a page from the JSON beside them, and lets selectors choose views. */
(() => {
  const HOUR = 3600, DAY = 24 * HOUR;
  const DAY_ROOM = 30, HOURS_ROOM = 170; // pixels that a day's label and labels of its hours need
  const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const DASHES = { reference: [2, 4], "other-1": [7, 4], "other-2": [2, 3], "other-3": [8, 3, 2, 3], "level-6": [7, 4], "level-7": [2, 3] };
  const drawn = new Map();

  const colour = (role) => getComputedStyle(document.documentElement).getPropertyValue("--" + role).trim();
  const faded = (role, alpha) => {
    const [r, g, b] = rgb(colour(role));
    return `rgba(${r},${g},${b},${alpha})`;
  };
  const rgb = (hex) => {
    const full = hex.length === 4 ? hex.replace(/[^#]/g, "$&$&") : hex;
    return [1, 3, 5].map((i) => parseInt(full.slice(i, i + 2), 16));
  };
  const two = (n) => String(n).padStart(2, "0");
  const isYears = (unit) => /^years?$/.test(unit);

  /* Numbers: as many decimals as the span of the axis needs, with thousands separators. */
  const digitsFor = (span) => (span > 0 ? Math.min(Math.max(2 - Math.floor(Math.log10(span)), 0), 6) : 0);
  const number = (value, places) =>
    value.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places }).replace("-", "−");
  const tickLabels = (plain) => (u, ticks) => {
    const step = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : 1;
    const places = [0, 1, 2, 3, 4, 5].find((p) => Math.abs(+step.toFixed(p) - step) < 1e-6 * step) ?? 6;
    return ticks.map((tick) => (tick === null ? "" : plain ? String(+tick.toFixed(places)).replace("-", "−") : number(tick, places)));
  };

  /* Local time from the offsets that the page brings, so that it is the same in every browser. */
  const wall = (axis, second) => {
    let found = axis.offsets[0];
    for (const entry of axis.offsets) if (entry[0] <= second) found = entry;
    return { date: new Date((second + found[1]) * 1000), zone: found[2] };
  };
  const dayText = (date) => `${WEEKDAYS[date.getUTCDay()]} ${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
  const monthText = (date) => `${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
  const clockText = (date) => `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
  const onHours = (date, hours) => !date.getUTCMinutes() && date.getUTCHours() % hours === 0;
  const pixel = (u, span) => span / (u.bbox.width / devicePixelRatio);
  /* Steps between the labels of a time axis: hours and days counted from a Monday, else months.
     A label is at the first value of its step, since values need not be at its beginning. */
  const DAY_STEPS = [1, 2, 3, 6, 12, 24, 48, 96, 168, 336], MONTH_STEPS = [1, 2, 3, 6, 12, 24, 60, 120];
  const CLOCK_WIDE = 56, DATE_WIDE = 84; // pixels from one label to the next
  const timeStep = (axis, perPixel) => {
    const hours = DAY_STEPS.find((h) => (h * HOUR) / perPixel >= (h < 24 ? CLOCK_WIDE : DATE_WIDE));
    const step = (time) => Math.floor((wall(axis, time).date.getTime() / 1000 + 3 * DAY) / (hours * HOUR));
    if (hours) return { step, wide: hours < 24 ? CLOCK_WIDE : DATE_WIDE, label: hours < 24 ? clockLabel : dayText };
    const months = MONTH_STEPS.find((m) => (30 * m * DAY) / perPixel >= DATE_WIDE) || 240;
    const month = ({ date }) => Math.floor((12 * date.getUTCFullYear() + date.getUTCMonth()) / months);
    return { step: (time) => month(wall(axis, time)), wide: DATE_WIDE, label: monthText };
  };
  const timeTicks = (axis) => (u, index, low, high) => {
    const perPixel = pixel(u, high - low), { step, wide } = timeStep(axis, perPixel);
    const begins = (t, i) => t >= low && t <= high && step(t) !== step(i ? axis.values[i - 1] : t - 1);
    const ticks = [];
    for (const t of axis.values.filter(begins)) // an hour less of summer time is no reason to leave one out
      if (!ticks.length || t - ticks.at(-1) >= 0.9 * wide * perPixel) ticks.push(t);
    return ticks;
  };
  const clockLabel = (date) => (date.getUTCHours() ? clockText(date) : dayText(date));
  const timeLabels = (axis) => (u, ticks) => {
    const { label } = timeStep(axis, pixel(u, u.scales.x.max - u.scales.x.min));
    return ticks.map((tick) => label(wall(axis, tick).date));
  };

  /* Days drawn one after the other, where those between them are left out. */
  const segmentAt = (axis, place) => axis.segments.findLast((s) => s.start <= place) || axis.segments[0];
  const places = (axis) => {
    if (!axis.segments.length) return axis.values;
    let i = 0;
    return axis.values.map((time) => {
      while (i + 1 < axis.segments.length && axis.segments[i + 1].time <= time) i++;
      return axis.segments[i].start + time - axis.segments[i].time;
    });
  };
  const showsHours = (u) => DAY / pixel(u, u.scales.x.max - u.scales.x.min) >= HOURS_ROOM;
  const segmentTicks = (axis) => (u, index, low, high) => {
    const perPixel = pixel(u, high - low);
    if (showsHours(u)) {
      const hours = [1, 2, 3, 6, 12].find((h) => (h * HOUR) / perPixel >= 56) || 12;
      const inside = (p, i) => p < segmentAt(axis, p).end && onHours(wall(axis, axis.values[i]).date, hours);
      return places(axis).filter((p, i) => p >= low && p <= high && inside(p, i));
    }
    const every = Math.ceil((DAY_ROOM * perPixel) / DAY);
    const middles = axis.segments.map((s) => (s.start + s.end) / 2);
    return middles.filter((p, i) => i % every === 0 && p >= low && p <= high);
  };
  const segmentLabels = (axis) => (u, ticks) => {
    const times = ticks.map((p) => segmentAt(axis, p)).map((s, i) => s.time + ticks[i] - s.start);
    if (showsHours(u)) return times.map((time) => clockLabel(wall(axis, time).date));
    const dates = times.map((time) => wall(axis, time).date);
    return dates.map((date, i) => {
      const begins = i === 0 || date.getUTCMonth() !== dates[i - 1].getUTCMonth();
      return `${WEEKDAYS[date.getUTCDay()]}\n${date.getUTCDate()}${begins ? " " + MONTHS[date.getUTCMonth()] : ""}`;
    });
  };
  const breaks = (axis) => ({
    hooks: {
      draw: (u) => {
        const { top, height } = u.bbox, right = u.bbox.left + u.bbox.width;
        u.ctx.fillStyle = colour("rule");
        axis.segments.slice(1).forEach((s, i) => {
          const from = Math.max(u.valToPos(axis.segments[i].end, "x", true), u.bbox.left);
          const to = Math.min(u.valToPos(s.start, "x", true), right);
          if (to <= from) return;
          u.ctx.clearRect(from, top - 1, to - from, height + 2);
          u.ctx.fillRect(Math.round((from + to - devicePixelRatio) / 2), top, devicePixelRatio, height);
        });
      },
    },
  });

  const positionText = (axis, value) => {
    if (axis.kind === "time") {
      const { date, zone } = wall(axis, value);
      return `${dayText(date)}, ${clockText(date)} ${zone}`;
    }
    if (axis.kind === "clock") return `${two(Math.floor(value))}:${two(Math.round((value % 1) * 60))}`;
    const span = Math.max(...axis.values) - Math.min(...axis.values);
    const text = isYears(axis.unit) ? value.toFixed(digitsFor(span)).replace("-", "−") : number(value, digitsFor(span));
    return axis.unit ? `${text} ${axis.unit}` : text;
  };

  const axisStyle = () => ({
    stroke: () => colour("soft"),
    font: "12px system-ui, sans-serif",
    ticks: { show: false },
    grid: { stroke: () => colour("grid"), width: 1 },
  });
  const xAxis = (axis, span) => {
    const style = { ...axisStyle(), size: 30, gap: 8, space: 56 };
    if (axis.segments.length) {
      const grid = { ...style.grid, filter: (u, ticks) => ticks.map((tick) => (showsHours(u) ? tick : null)) };
      return { ...style, grid, size: 44, space: 1, splits: segmentTicks(axis), values: segmentLabels(axis) };
    }
    if (axis.kind === "time") return { ...style, splits: timeTicks(axis), values: timeLabels(axis) };
    if (axis.kind === "clock")
      return { ...style, incrs: [1, 3, 6, 12], space: 54, values: (u, ticks) => ticks.map((t) => `${two(t)}:00`) };
    const incrs = axis.unit === "h" && span <= 48 ? { incrs: [1, 3, 6, 12] } : {};
    return { ...style, ...incrs, values: tickLabels(isYears(axis.unit)) };
  };
  const yAxis = (unit) => ({
    ...axisStyle(),
    gap: 6,
    space: 34,
    values: tickLabels(isYears(unit)),
    size: (u, values) => 14 + Math.max(24, ...(values || []).map((text) => 7 * text.length)),
  });

  const extent = (rows) => {
    let low = Infinity, high = -Infinity;
    for (const row of rows) for (const v of row) if (v !== null) { if (v < low) low = v; if (v > high) high = v; }
    return low <= high ? [low, high] : [0, 1];
  };

  /* A box that follows the pointer. */
  const tip = (lines) => {
    let box;
    const fill = (u, title, rows) => {
      box.replaceChildren(Object.assign(document.createElement("b"), { textContent: title }));
      for (const [label, text] of rows) {
        const row = document.createElement("span");
        row.append(Object.assign(document.createElement("i"), { textContent: label }), text);
        box.append(row);
      }
      box.hidden = false;
      const left = u.over.offsetLeft + u.cursor.left;
      const flip = left + box.offsetWidth + 18 > u.over.parentNode.offsetWidth;
      box.style.left = `${Math.max(flip ? left - box.offsetWidth - 12 : left + 12, 0)}px`;
      box.style.top = `${u.over.offsetTop + 4}px`;
    };
    return {
      hooks: {
        init: (u) => {
          box = Object.assign(document.createElement("div"), { className: "tip", hidden: true });
          u.root.querySelector(".u-wrap").append(box);
        },
        setCursor: (u) => {
          const found = u.cursor.left >= 0 ? lines(u) : null;
          if (found) fill(u, ...found); else box.hidden = true;
        },
      },
    };
  };

  const lineTip = (spec, places) => {
    const text = (v) => `${number(v, places)} ${spec.unit}`.trim();
    return tip((u) => {
      const i = u.cursor.idx;
      if (i === null || i === undefined) return null;
      const rows = spec.lines.filter((l) => l.values[i] !== null).map((l) => [l.label || spec.title, text(l.values[i])]);
      for (const b of spec.bands)
        if (b.label && b.low[i] !== null && b.high[i] !== null)
          rows.push([b.label, `${number(b.low[i], places)} – ${text(b.high[i])}`]);
      return rows.length ? [positionText(spec.x, spec.x.values[i]), rows] : null;
    });
  };

  /* Vertical lines with labels, for example where the forecast begins. A label that another one
     would overlap is below it. */
  const marks = (spec) => ({
    hooks: {
      draw: (u) => {
        const { ctx } = u, { left, top, width, height } = u.bbox, ratio = devicePixelRatio, rows = [];
        for (const [at, label] of spec.marks) {
          const x = Math.round(u.valToPos(at, "x", true));
          if (x < left || x > left + width) continue;
          ctx.save();
          ctx.strokeStyle = ctx.fillStyle = colour("soft");
          ctx.lineWidth = ratio;
          ctx.beginPath(); ctx.moveTo(x, top); ctx.lineTo(x, top + height); ctx.stroke();
          ctx.font = `${12 * ratio}px system-ui, sans-serif`;
          ctx.textBaseline = "top"; ctx.textAlign = "left";
          const wide = ctx.measureText(label).width, room = left + width - x > wide + 8 * ratio;
          const from = Math.max(room ? x + 5 * ratio : x - wide - 5 * ratio, left + 2 * ratio);
          let row = rows.findIndex((taken) => taken.every(([a, b]) => from > b || from + wide < a));
          if (row < 0) row = rows.push([]) - 1;
          rows[row].push([from, from + wide + 4 * ratio]);
          const place = [label, from, top + (2 + 15 * row) * ratio];
          ctx.strokeStyle = colour("paper"); ctx.lineWidth = 4 * ratio; ctx.lineJoin = "round";
          ctx.strokeText(...place); ctx.fillText(...place); // readable across lines of data
          ctx.restore();
        }
      },
    },
  });

  const lineChart = (spec) => {
    const rows = [...spec.lines.map((l) => l.values), ...spec.bands.flatMap((b) => [b.high, b.low])];
    const [low, high] = extent(rows);
    const digits = digitsFor(high - low);
    const series = [{}];
    const few = spec.x.values.length < 3 || spec.x.values.length <= 2 * spec.x.segments.length; // nothing to join
    for (const l of spec.lines)
      series.push({
        label: l.label, stroke: () => colour(l.role), dash: DASHES[l.role],
        width: l.role === "model" && spec.x.values.length < 1000 ? 2.4 : 1.5, points: { show: few, size: 5 }, pxAlign: 0,
      });
    const bands = spec.bands.map((b, i) => {
      const first = 1 + spec.lines.length + 2 * i;
      for (let k = 0; k < 2; k++) series.push({ stroke: "transparent", points: { show: false }, pxAlign: 0 });
      return { series: [first, first + 1], fill: () => faded(b.role, spec.bands.length > 2 ? 0.14 : 0.24) };
    });
    const xs = places(spec.x), span = xs[xs.length - 1] - xs[0];
    const options = {
      series, bands,
      plugins: [lineTip(spec, digits), marks(spec), breaks(spec.x)],
      scales: {
        x: { time: false, range: (u, a, b) => (a === b ? [a - 1, b + 1] : [a, b]) },
        y: { range: (u, a, b) => (a === null ? [0, 1] : uPlot.rangeNum(spec.zero ? 0 : a, b, 0.08, spec.zero)) },
      },
      axes: [xAxis(spec.x, span), yAxis(spec.unit)],
      cursor: {
        y: false, drag: { x: spec.x.kind === "time", y: false, setScale: spec.x.kind === "time" },
        points: { show: (u, i) => i <= spec.lines.length, size: 6 },
      },
    };
    return [options, [xs, ...rows]];
  };

  const edges = (v) => {
    if (v.length < 2) return [v[0] - 0.5, v[0] + 0.5];
    const middle = v.slice(1).map((b, i) => (v[i] + b) / 2);
    return [2 * v[0] - middle[0], ...middle, 2 * v[v.length - 1] - middle[middle.length - 1]];
  };
  const blend = (value, limit, stops) => {
    const share = Math.max(-1, Math.min(1, value / (limit || 1)));
    const end = share < 0 ? stops[0] : stops[2];
    return `rgb(${stops[1].map((m, i) => Math.round(m + (end[i] - m) * Math.abs(share))).join()})`;
  };
  const nearest = (values, at) => values.reduce((best, v, i) => (Math.abs(v - at) < Math.abs(values[best] - at) ? i : best), 0);

  const heatMap = (spec) => {
    const ex = edges(spec.x.values), ey = edges(spec.y.values);
    const places = digitsFor(2 * spec.limit);
    const cells = {
      hooks: {
        drawClear: (u) => {
          const stops = ["below", "middle", "above"].map((role) => rgb(colour(role)));
          const px = ex.map((v) => Math.round(u.valToPos(v, "x", true))), py = ey.map((v) => Math.round(u.valToPos(v, "y", true)));
          spec.values.forEach((row, j) => row.forEach((value, i) => {
            if (value === null) return;
            u.ctx.fillStyle = blend(value, spec.limit, stops);
            u.ctx.fillRect(px[i], py[j + 1], px[i + 1] - px[i], py[j] - py[j + 1]);
          }));
        },
      },
    };
    const readout = tip((u) => {
      const i = nearest(spec.x.values, u.posToVal(u.cursor.left, "x")), j = nearest(spec.y.values, u.posToVal(u.cursor.top, "y"));
      if (spec.values[j][i] === null) return null;
      const title = `${positionText(spec.x, spec.x.values[i])}, ${positionText(spec.y, spec.y.values[j])}`;
      return [title, [[spec.title, `${number(spec.values[j][i], places)} ${spec.unit}`]]];
    });
    const range = (v) => () => [v[0], v[v.length - 1]];
    const bare = (axis) => ({ ...axis, grid: { show: false }, ticks: { ...axisStyle().grid, show: true, size: 4 } });
    const options = {
      series: [{}, { stroke: "transparent", points: { show: false } }],
      plugins: [cells, readout],
      scales: { x: { time: false, range: range(ex) }, y: { range: range(ey) } },
      axes: [bare(xAxis(spec.x, ex[ex.length - 1] - ex[0])), bare(yAxis(spec.y.unit))],
      cursor: { drag: { x: false, y: false }, points: { show: false } },
    };
    return [options, [spec.x.values, spec.x.values.map(() => null)]];
  };

  const draw = (plot) => {
    const width = plot.clientWidth;
    if (!width) return; // hidden: drawn when it is chosen
    const old = drawn.get(plot);
    if (old) { if (old.width !== width) old.setSize({ width, height: old.height }); return; }
    const spec = JSON.parse(document.getElementById(plot.dataset.chart).textContent);
    const [options, data] = spec.kind === "heat" ? heatMap(spec) : lineChart(spec);
    const base = { width, height: spec.height, legend: { show: false }, padding: [8, 36, 0, 0] };
    const chart = new uPlot({ ...base, ...options }, data, plot);
    drawn.set(plot, chart);
    if (spec.ranges && spec.ranges.length) prepareRanges(plot.closest("figure"), chart, spec.shown);
  };
  const drawAll = () => document.querySelectorAll(".plot").forEach(draw);
  const redraw = () => drawn.forEach((chart) => chart.redraw(false, true));

  const prepareRanges = (figure, chart, shown) => {
    const buttons = [...figure.querySelectorAll(".ranges button")];
    const show = (chosen) => chart.setScale("x", { min: +chosen.dataset.start, max: +chosen.dataset.end });
    const mark = (u) => {
      const { min, max } = u.scales.x;
      const same = (b) => Math.abs(+b.dataset.start - min) < 1 && Math.abs(+b.dataset.end - max) < 1;
      for (const b of buttons) b.setAttribute("aria-pressed", String(same(b)));
    };
    chart.hooks.setScale = [...(chart.hooks.setScale || []), (u, key) => key === "x" && mark(u)];
    for (const b of buttons) b.addEventListener("click", () => show(b));
    show(figure.clientWidth < 560 ? buttons.reduce((a, b) => (+b.dataset.start > +a.dataset.start ? b : a)) : buttons[shown]);
  };

  /* Choosing a view moves every selector that offers the same choice. */
  const choose = (name) => {
    for (const select of document.querySelectorAll("select[data-selects]")) {
      if (![...select.options].some((o) => o.value === name)) continue;
      select.value = name;
      for (const part of document.querySelectorAll("[data-view]"))
        if (part.dataset.group === select.dataset.selects) part.hidden = part.dataset.view !== name;
    }
    drawAll();
  };
  for (const select of document.querySelectorAll("select[data-selects]"))
    select.addEventListener("change", () => choose(select.value));

  /* Paper is light, about 18 cm wide, and opens no details. */
  const PAPER = { wide: 680, narrow: 320, height: 230 };
  let closed = [];
  const resize = (plot, width, height) => {
    plot.style.height = `${height}px`;
    drawn.get(plot).setSize({ width, height });
  };
  const print = (on) => {
    document.documentElement.classList.toggle("printing", on);
    if (on) closed = [...document.querySelectorAll("details:not([open])")];
    for (const part of closed) part.open = on;
    drawn.forEach((chart, plot) => {
      const full = JSON.parse(document.getElementById(plot.dataset.chart).textContent).height;
      const small = plot.closest(".multiples");
      if (on) resize(plot, small ? PAPER.narrow : PAPER.wide, Math.min(full, PAPER.height));
      else if (plot.clientWidth) resize(plot, plot.clientWidth, full);
    });
    redraw();
  };
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  new ResizeObserver(drawAll).observe(document.querySelector("main"));
  drawAll();
})();
