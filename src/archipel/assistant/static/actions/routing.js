// Which model an action goes to: one that is made for it, where the service tells that of any. Pure.

const coding = ["repair", "optimise"]; // what a coder does too, where nobody is made for that
const places = ["machine", "house", "supplier"];
const spokenIn = { translate: ["target", "source"], summarise: ["language"], explain: ["language"], draft: ["language"] };

/** The name of the model that is best at an action, or null. One that is made for less comes first,
 * then `current`, which is the chosen one, then the service's order. A model that tells its languages
 * must know the action's; and none is further away than the chosen one, so that nothing leaves that
 * would have stayed. `about[model]` is what the service tells. */
export function bestAt(action, models, about, current) {
  const able = [current, ...models.filter((model) => model !== current)].filter(
    (model) => taskOf(action, about[model]) && speaks(about[model], action) && distance(about[model]) <= distance(about[current]),
  );
  const own = able.filter((model) => taskOf(action, about[model]) === action.name);
  const count = (model) => about[model].tasks.length;
  const [best = null] = (own.length ? own : able).sort((one, other) => count(one) - count(other));
  return best;
}

/** The task by which a model is made for an action; undefined where it is not. */
export function taskOf({ name }, told) {
  const tasks = coding.includes(name) ? [name, "code"] : [name];
  return tasks.find((task) => told?.tasks?.includes(task));
}

function distance(told) {
  const known = places.indexOf(told?.place);
  return known < 0 ? places.length : known;
}

function speaks(told, { name, fields }) {
  const asked = (spokenIn[name] ?? []).map((field) => fields[field]);
  const wanted = asked.filter((language) => language && !["detected", "same"].includes(language));
  return !told?.languages || wanted.every((language) => told.languages.some((own) => own.split("-")[0] === language));
}
