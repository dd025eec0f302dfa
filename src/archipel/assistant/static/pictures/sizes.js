// How large a picture would be once decoded, from the first bytes of its file. Pure.

const frames = new Set([0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf]);

/** {type, width, height} of a PNG, JPEG or WebP file's bytes (a DataView); null: it is none. */
export function sizeOf(view) {
  return png(view) ?? jpeg(view) ?? webp(view);
}

function png(view) {
  if (view.byteLength < 33 || view.getUint32(0) !== 0x89504e47 || view.getUint32(12) !== 0x49484452) return null;
  return { type: "image/png", width: view.getUint32(16), height: view.getUint32(20) };
}

function jpeg(view) {
  if (view.byteLength < 4 || view.getUint16(0) !== 0xffd8) return null;
  let at = 2;
  while (at + 9 <= view.byteLength && view.getUint8(at) === 0xff) {
    if (frames.has(view.getUint8(at + 1))) {
      return { type: "image/jpeg", width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    }
    at += 2 + Math.max(2, view.getUint16(at + 2));
  }
  return null;
}

function webp(view) {
  if (view.byteLength < 30 || view.getUint32(0) !== 0x52494646 || view.getUint32(8) !== 0x57454250) return null;
  const three = (at) => view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
  const kind = view.getUint32(12);
  const found = (width, height) => ({ type: "image/webp", width, height });
  if (kind === 0x56503858) return found(1 + three(24), 1 + three(27));
  if (kind === 0x56503820) return found(view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff);
  if (kind !== 0x5650384c) return null;
  const bits = view.getUint32(21, true);
  return found(1 + (bits & 0x3fff), 1 + ((bits >>> 14) & 0x3fff));
}
