// A block on the page: where it goes, and what goes on from the block before it.
//
// A place is what the next block needs to know: the list or the table that it may go on with, the
// code that grows, the depths of the headings above. Places are never changed, so a draft can be
// taken back.

import { codeFigure, codePiece } from "./code.js";
import { blockNodes, itemNodes, listNode, rowNodes, tableNode } from "./elements.js";
import { lex } from "./lexer.js";

export const firstPlace = Object.freeze({ list: null, rows: null, code: null, headings: [] });

/** Draw `block` at `place` under `root`: the nodes that it added, and the place after it. */
export function drawBlock(block, place, root) {
  const after = { ...firstPlace, headings: [...place.headings] };
  const nodes = drawers[block.kind](block, place, after);
  const fresh = nodes.filter((node) => !node.parentNode);
  root.append(...fresh);
  return { nodes, place: after };
}

/** Let the code that `draft` shows become that of `block`; false if it is another's. */
export function growCode(draft, block) {
  if (draft.block.fence !== block.fence || draft.block.piece !== block.piece) return false;
  const piece = block.piece ? draft.nodes[0] : draft.place.code.firstChild;
  piece.textContent = block.source;
  return true;
}

const drawers = {
  text: (block, _, after) => drawTokens(lex(block.source), after),
  item: drawItem,
  row: drawRow,
  code: drawCode,
};

function drawTokens(tokens, after) {
  return blockNodes(tokens, after.headings).map(asNode);
}

function drawItem(block, place, after) {
  const [list, ...rest] = lex(block.source.trimEnd());
  if (list?.type !== "list") return drawTokens([list, ...rest].filter(Boolean), after);
  const going = block.joins ? place.list : null;
  const into = going ?? listNode(list);
  const items = itemNodes(list, after.headings);
  into.append(...items);
  const others = drawTokens(rest, after);
  if (!others.length) after.list = into;
  return [...(going ? items : [into]), ...others];
}

function drawRow(block, place, after) {
  if (block.joins && !place.rows) return drawTokens(lex(block.source), after);
  const [table, ...rest] = lex(block.head + block.source);
  const others = drawTokens(rest, after); // what marked takes for the end of the table
  if (block.joins) {
    const rows = rowNodes(table);
    place.rows.append(...rows);
    if (!others.length) after.rows = place.rows;
    return [...rows, ...others];
  }
  const box = tableNode(table);
  after.rows = box.querySelector("tbody");
  return [box, ...others];
}

function drawCode(block, place, after) {
  if (block.piece) {
    const piece = codePiece(block.source);
    place.code.append(piece);
    after.code = place.code;
    return [piece];
  }
  const { figure, code } = codeFigure(block.info, block.source);
  after.code = code;
  return [figure];
}

function asNode(node) {
  return typeof node === "string" ? document.createTextNode(node) : node;
}
