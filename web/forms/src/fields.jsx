// What the form library can't draw by itself: anything at all, unions with null, constants.

import { getDefaultRegistry } from "@rjsf/core";
import { useState } from "react";
import { isObject, resolved, unlessNull } from "./schemas.js";

const { SchemaField } = getDefaultRegistry().fields;
const ANY = { description: "Any value, as JSON." };

/** Every field of a form: chooses who draws it. */
function Field(props) {
  const schema = resolved(props.schema === true ? {} : props.schema, props.registry.rootSchema);
  if (!isObject(schema)) return <SchemaField {...props} />;
  const own = (field) => ({ ...props.uiSchema, "ui:field": field, "ui:fieldReplacesAnyOrOneOf": true });
  if (unlessNull(schema)) return <SchemaField {...props} schema={schema} uiSchema={own("NullableField")} />;
  if (isUnknown(schema)) return <SchemaField {...props} schema={{ ...ANY, ...schema }} uiSchema={own("JsonField")} />;
  if ("const" in schema) return <SchemaField {...props} uiSchema={{ ...props.uiSchema, "ui:readonly": true }} />;
  if (schema.enum && schema.default === undefined) {
    return <SchemaField {...props} uiSchema={{ "ui:placeholder": "Select…", ...props.uiSchema }} />;
  }
  return <SchemaField {...props} />;
}

/** Schemas without a type, and unions without a tag: the public form shows their JSON. */
function isUnknown(schema) {
  if (Array.isArray(schema.anyOf)) return true;
  if (Array.isArray(schema.oneOf)) return !schema.discriminator;
  const typed = ["type", "enum", "const", "properties", "items", "allOf", "if", "$ref"];
  return !typed.some((key) => key in schema);
}

/** Title and description of a field that the library leaves to the field itself. */
function Labelled({ fieldPathId, schema, uiSchema, name, required, registry, children }) {
  const { DescriptionFieldTemplate } = registry.templates;
  const description = <DescriptionFieldTemplate id={`${fieldPathId.$id}__description`} {...{ schema, uiSchema, registry }} description={schema.description} />;
  return (
    <>
      <label className="control-label" htmlFor={fieldPathId.$id}>
        {schema.title ?? name}
        {required && <span className="required">*</span>}
      </label>
      {schema.description && description}
      {children}
    </>
  );
}

/** A value or null: plain values by an empty field, others by a button. */
function NullableField(props) {
  const { schema, formData, onChange, fieldPathId, registry, name } = props;
  const inner = resolved(unlessNull(schema), registry.rootSchema);
  const { title, description, default: _, ...plain } = isObject(inner) ? inner : {};
  const isStructure = ["array", "object"].includes(plain.type) || plain.oneOf || plain.anyOf || !plain.type;
  const isHere = (path) => path.length === fieldPathId.path.length;
  const change = (value, path, ...more) => onChange(value === undefined && isHere(path) ? null : value, path, ...more);
  const set = (value) => onChange(value, fieldPathId.path);
  if (isStructure && formData == null) {
    const first = () => registry.schemaUtils.getDefaultFormState(plain) ?? (plain.type === "array" ? [] : {});
    return (
      <Labelled {...props}>
        <p className="unset">
          not set <button type="button" id={`${fieldPathId.$id}-set`} onClick={() => set(first())}>Set</button>
        </p>
      </Labelled>
    );
  }
  const uiSchema = { "ui:options": { label: false }, ...(plain.enum && { "ui:placeholder": "not set" }) };
  return (
    <Labelled {...props}>
      <Field {...props} name={name} schema={plain} uiSchema={uiSchema} formData={formData ?? undefined} onChange={change} />
      {isStructure && (
        <button type="button" id={`${fieldPathId.$id}-unset`} onClick={() => set(null)}>Unset</button>
      )}
    </Labelled>
  );
}

/** Anything, written as JSON. */
function JsonField(props) {
  const { formData, onChange, fieldPathId, schema } = props;
  const [text, setText] = useState(formData === undefined ? "" : JSON.stringify(formData));
  const [error, setError] = useState("");
  const change = (event) => {
    setText(event.target.value);
    try {
      const value = event.target.value.trim() ? JSON.parse(event.target.value) : undefined;
      onChange(value, fieldPathId.path);
      setError("");
    } catch {
      setError("this is not JSON: write text in quotes");
    }
  };
  return (
    <Labelled {...props}>
      <textarea className="json" id={fieldPathId.$id} rows={2} spellCheck={false} value={text} onChange={change} />
      {error && <p className="text-danger">{error}</p>}
      {(schema.anyOf || schema.oneOf) && <p className="note">fractal-web shows the JSON of such a union and an error.</p>}
    </Labelled>
  );
}

const button = (sign, words) =>
  function Button({ id, className, onClick, disabled, style }) {
    return (
      <button type="button" {...{ id, className, onClick, disabled, style }} title={words} aria-label={words}>{sign}</button>
    );
  };

export const fields = { SchemaField: Field, NullableField, JsonField };
export const templates = {
  ButtonTemplates: {
    AddButton: button("+ add", "Add"),
    RemoveButton: button("✕", "Remove"),
    MoveUpButton: button("↑", "Move up"),
    MoveDownButton: button("↓", "Move down"),
  },
};
