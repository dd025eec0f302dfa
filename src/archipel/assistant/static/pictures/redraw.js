// A picture drawn anew: smaller where it is large, and without what its file told of place, time and
// camera.

import { sizeOf } from "./sizes.js";

const mostBytes = 10 * 1024 * 1024;
const mostPixels = 50_000_000;
const longestSide = 2048;

/** The file as a Blob to send. Raises an Error whose `code` is "picture_large" or "no_picture". */
export async function redrawn(file) {
  if (file.size > mostBytes) throw refusal("picture_large", file);
  const size = sizeOf(new DataView(await file.arrayBuffer()));
  if (!size) throw refusal("no_picture", file);
  if (size.width * size.height > mostPixels) throw refusal("picture_large", file);
  const image = await createImageBitmap(file).catch(() => {
    throw refusal("no_picture", file);
  });
  const scale = Math.min(1, longestSide / Math.max(image.width, image.height));
  const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").drawImage(image, 0, 0, width, height);
  image.close();
  const blob = await canvas.convertToBlob({ type: size.type, quality: 0.9 });
  return blob.size > mostBytes ? canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 }) : blob;
}

function refusal(code, { name }) {
  return Object.assign(new Error(name), { code });
}
