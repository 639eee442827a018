// Schemas as the form library takes them (draft 7), and the values a form begins with.

const RESERVED = [
  ...["zarr_url", "zarr_urls", "zarr_dir", "init_args"],
  ...["input_paths", "output_path", "metadata", "component"],
];
const MANY = ["allOf", "anyOf", "oneOf"];
const ONE = ["additionalProperties", "contains", "else", "if", "not", "propertyNames", "then"];
const NAMED = ["$defs", "definitions", "patternProperties", "properties"];

export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** What a reference within a schema leads to, with what stands beside it; other schemas as they are. */
export function resolved(schema, root) {
  for (let hops = 0; hops < 16 && isObject(schema) && typeof schema.$ref === "string"; hops++) {
    const steps = schema.$ref.split("/").slice(1);
    const names = steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    const target = names.reduce((found, name) => (isObject(found) ? found[name] : undefined), root);
    if (!isObject(target)) break;
    const { $ref, ...beside } = schema;
    schema = { ...target, ...beside };
  }
  return schema;
}

/** The schema of a task's own arguments: what the server supplies is hidden, tuples are written as of old. */
export function prepared(schema) {
  // A default of the whole would hide those of its properties.
  const { properties = {}, required = [], default: _, ...rest } = isObject(schema) ? schema : {};
  const own = Object.entries(properties).filter(([name]) => !RESERVED.includes(name));
  const shown = { ...rest, type: "object", properties: Object.fromEntries(own) };
  return older({ ...shown, required: required.filter((name) => !RESERVED.includes(name)) }, schema);
}

function older(schema, root) {
  if (!isObject(schema)) return schema;
  const made = { ...schema };
  for (const key of ONE) if (key in made) made[key] = older(made[key], root);
  for (const key of MANY) if (Array.isArray(made[key])) made[key] = made[key].map((member) => older(member, root));
  for (const key of NAMED) {
    if (isObject(made[key])) {
      made[key] = Object.fromEntries(Object.entries(made[key]).map(([name, member]) => [name, older(member, root)]));
    }
  }
  if (Array.isArray(made.prefixItems)) {
    made.additionalItems = "items" in made ? older(made.items, root) : false;
    made.items = made.prefixItems.map((member) => older(member, root));
    delete made.prefixItems;
  } else if (isObject(made.items)) {
    made.items = older(made.items, root);
  }
  if (isObject(made.dependentRequired)) made.dependencies = { ...made.dependencies, ...made.dependentRequired };
  if (isObject(made.discriminator) && Array.isArray(made.oneOf)) made.oneOf = tagged(made, root);
  return made;
}

/** The members of a tagged union, each under the name of its tag, by which the form offers them. */
function tagged(schema, root) {
  const tag = schema.discriminator.propertyName;
  return schema.oneOf.map((member) => {
    const model = resolved(member, root);
    const property = isObject(model) ? resolved(model.properties?.[tag] ?? {}, root) : {};
    const names = "const" in property ? [property.const] : (property.enum ?? []);
    return names.length ? { ...older(model, root), title: names.join(" / ") } : older(member, root);
  });
}

/** The other member of a union with null; undefined for every other schema. */
export function unlessNull(schema) {
  const members = isObject(schema) && Array.isArray(schema.anyOf) ? schema.anyOf : [];
  const others = members.filter((member) => member?.type !== "null");
  return members.length === 2 && others.length === 1 ? others[0] : undefined;
}

/** The value a form begins with: defaults, constants, false for a switch; undefined where nothing is known. */
export function initial(schema, root, required = true, depth = 0) {
  schema = resolved(schema, root);
  if (!isObject(schema) || depth > 8) return undefined;
  if ("default" in schema) return structuredClone(schema.default);
  if ("const" in schema) return schema.const;
  if (!required) return undefined;
  if (unlessNull(schema)) return null;
  if (schema.type === "boolean") return false;
  if (Array.isArray(schema.items)) return schema.items.map((item) => initial(item, root, true, depth + 1) ?? null);
  if (schema.type === "array") {
    return Array.from({ length: schema.minItems ?? 0 }, () => initial(schema.items, root, true, depth + 1) ?? null);
  }
  if (Array.isArray(schema.oneOf) && schema.oneOf.length) return initial(schema.oneOf[0], root, true, depth + 1);
  if (schema.type !== "object") return undefined;
  const made = {};
  for (const [name, member] of Object.entries(schema.properties ?? {})) {
    const value = initial(member, root, (schema.required ?? []).includes(name), depth + 1);
    if (value !== undefined) made[name] = value;
  }
  return made;
}

/** The arguments as the server keeps them: before `fractal_schema_v1`, nulls and empty objects are left out. */
export function kept(value, version) {
  if (version === "fractal_schema_v1") return value;
  if (Array.isArray(value)) return value.map((item) => kept(item, version));
  if (!isObject(value)) return value;
  const members = Object.entries(value).map(([name, member]) => [name, kept(member, version)]);
  const isEmpty = (member) => member == null || (isObject(member) && Object.keys(member).length === 0);
  return Object.fromEntries(members.filter(([, member]) => !isEmpty(member)));
}
