// The words and the style sheet of what has to do with documents: there before it begins.

import { dress } from "../dress.js";

await dress("documents");
