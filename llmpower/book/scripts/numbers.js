// Prints numbers that are computed in the page: `format` as Python's format() does, `text` as llmpower/text.py.
// The scales of units come from there too, by `scales_script`.
globalThis.livingNumbers = (() => {
  const NONE = "–"; // where Python refuses

  // A size times ten to the places as a whole number.  What is rounded is the exact binary value, a tie goes to even.
  function rounded(size, places) {
    let halves = 0n;
    for (; !Number.isInteger(size); size *= 2) halves += 1n;
    const above = BigInt(size) * 10n ** BigInt(Math.max(places, 0));
    const below = 2n ** halves * 10n ** BigInt(Math.max(-places, 0));
    const whole = above / below, rest = 2n * (above % below);
    return whole + (rest > below || (rest === below && whole % 2n === 1n) ? 1n : 0n);
  }

  // A size with so many digits behind the point.
  function fixed(size, places) {
    const digits = String(rounded(size, places)).padStart(places + 1, "0"), point = digits.length - places;
    return places ? `${digits.slice(0, point)}.${digits.slice(point)}` : digits;
  }

  // Digits whose first one stands for ten to the exponent; with an exponent printed if it is small, or at the limit.
  function shaped(digits, exponent, limit) {
    const kept = digits.replace(/0+$/, "") || "0", joined = (whole, rest) => (rest ? `${whole}.${rest}` : whole);
    if (-4 <= exponent && exponent < limit) {
      const all = "0".repeat(Math.max(-exponent, 0)) + kept.padEnd(exponent + 1, "0");
      const point = Math.max(exponent, 0) + 1;
      return joined(all.slice(0, point), all.slice(point));
    }
    const size = String(Math.abs(exponent)).padStart(2, "0");
    return `${joined(kept[0], kept.slice(1))}e${exponent < 0 ? "-" : "+"}${size}`;
  }

  // A size with so many significant digits.
  function general(size, precision) {
    const exponent = size ? Number(size.toExponential(20).split("e")[1]) : 0;
    const digits = String(rounded(size, precision - 1 - exponent));
    return shaped(digits, digits.length > precision ? exponent + 1 : exponent, precision);
  }

  // A size with as few digits as tell it from all others.
  function shortest(size) {
    const [digits, exponent] = size.toExponential().split("e");
    const shown = shaped(digits.replace(".", ""), Number(exponent), 16);
    return /[.e]/.test(shown) ? shown : `${shown}.0`;
  }

  // For the specs "", "d", "f", "g", "%", with digits behind a point, "+" and "," before.  Whole numbers take "d".
  function format(value, spec) {
    const [, plus, comma, digits = "6", kind] = /^(\+?)(,?)(?:\.(\d+)(?=[fg%]))?([dfg%]?)$/.exec(spec);
    if (kind === "%") return `${format(100 * value, `${plus}${comma}.${digits}f`)}%`;
    if (kind === "d" && !Number.isInteger(value)) return NONE;
    const size = Math.abs(value), sign = value < 0 || (Object.is(value, -0) && kind !== "d") ? "-" : plus;
    if (!Number.isFinite(value)) return sign + (size ? "inf" : "nan");
    const places = kind === "d" ? 0 : Number(digits);
    const shown = kind === "g" ? general(size, places || 1) : kind ? fixed(size, places) : shortest(size);
    return sign + (comma ? shown.replace(/^\d+/, all => all.replace(/\B(?=(\d{3})+$)/g, ",")) : shown);
  }

  const exponentOf = value => Math.floor(Math.log10(Math.abs(value)));

  function threeDigits(value) {
    return Number.isFinite(value) ? format(value, `,.${value ? Math.max(0, 2 - exponentOf(value)) : 0}f`) : NONE;
  }

  function plain(value) {
    if (!Number.isFinite(value)) return "∞";
    if (Math.abs(value) < 1e7) return Number.isInteger(value) ? format(value, ",.0f") : threeDigits(value);
    const raised = String(exponentOf(value)).replace(/\d/g, digit => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);
    return `${format(value / Number(`1e${exponentOf(value)}`), ".2f")} × 10${raised}`;
  }

  function scale(value, unit) {
    const size = Math.abs(value), scales = livingNumbers.scales[unit] ?? [[1, unit]];
    if ((livingNumbers.stays[unit] ?? 1) <= size && size < 1) return [1, unit];
    return scales.find(([factor]) => size >= factor) ?? (value ? scales.at(-1) : scales.find(([factor]) => factor === 1) ?? [1, unit]);
  }

  // A number, or {low, central, high}, with its unit.
  function text(value, unit) {
    const values = typeof value === "number" ? [value] : [value.central, value.low, value.high];
    if (values.some(Number.isNaN)) return NONE;
    const pure = unit === "" || unit === "1" || (unit === "count" && Math.abs(values[0]) < 1e6);
    const [factor, name] = pure ? [1, unit] : scale(values[0], unit);
    const close = unit === "%" && values.some(one => 0.99 < one && one < 1);
    const print = one => (close ? format(one, ".2f") : pure || one >= 1000 ? plain(one) : threeDigits(one));
    const parts = values.map(one => print(one / factor).replace("-", "−"));
    const shown = pure && unit ? "" : ` ${name}`;
    if (parts.includes(NONE)) return NONE;
    return parts[0] + shown + (parts[1] ? ` (${parts[1]} to ${parts[2]}${shown})` : "");
  }

  return { format, text };
})();
