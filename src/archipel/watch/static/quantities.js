// Quantities in few characters.

const large = [[1e12, "\u00a0T"], [1e9, "\u00a0B"], [1e6, "\u00a0M"], [1e3, "\u00a0k"]];
const bytes = [[1e12, "\u00a0TB"], [1e9, "\u00a0GB"], [1e6, "\u00a0MB"], [1e3, "\u00a0kB"], [1, "\u00a0B"]];

function scaled(value, units) {
  const [scale, unit] = units.find(([least]) => value >= least * 0.9995) ?? [1, ""];
  return `${Number((value / scale).toPrecision(3))}${unit}`;
}

export function amount(count) {
  return scaled(count, large);
}

export function data(size) {
  return size ? scaled(size, bytes) : "–";
}

export function percent(share) {
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}\u00a0%`;
}

export function hours(count) {
  return count < 1 ? duration(3600 * count) : `${count.toPrecision(3)}\u00a0h`;
}

export function duration(seconds) {
  const minutes = seconds / 60;
  if (seconds < 90) return `${Math.round(seconds)}\u00a0s`;
  if (minutes < 90) return `${Math.round(minutes)}\u00a0min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)}\u00a0h ${Math.floor(minutes % 60)}\u00a0min`;
  return `${Math.floor(minutes / 1440)}\u00a0d ${Math.floor((minutes / 60) % 24)}\u00a0h`;
}
