// A page with the argument form of every task. What it shows is in an element of JSON, `trivet-forms`.

import Form from "@rjsf/core";
import { customizeValidator } from "@rjsf/validator-ajv8";
import Markdown from "markdown-to-jsx/react";
import { useMemo, useState } from "react";
import { createRoot } from "react-dom/client";
import { fields, templates } from "./fields.jsx";
import { initial, kept, prepared } from "./schemas.js";
import "./style.css";

// Formats such as `file-path` say something of the place where a task runs, which a page can't know.
const validator = customizeValidator({ ajvOptionsOverrides: { logger: false } });
const UI = {
  "ui:submitButtonOptions": { norender: true },
  "ui:globalOptions": { enableMarkdownInDescription: true },
  "ui:title": "",
};
const PARTS = { non_parallel: "Initialisation, once", parallel: "Computation, for every image" };
const MARKDOWN = { disableParsingRawHTML: true };

function Part({ id, part, version, titled }) {
  const schema = useMemo(() => prepared(part.schema), [part]);
  const [data, setData] = useState(() => initial(schema, schema) ?? {});
  const [errors, setErrors] = useState(() => validator.validateFormData(data, schema).errors);
  const change = (event) => {
    setData(event.formData);
    setErrors(event.errors);
  };
  return (
    <section>
      {titled && <h3>{PARTS[part.part]}</h3>}
      {part.schema === null && <p className="note">This part has no schema: any arguments can be given.</p>}
      {Object.keys(schema.properties).length === 0 && part.schema !== null && <p className="note">No arguments.</p>}
      <div className="columns">
        <Form
          idPrefix={id}
          schema={schema}
          uiSchema={UI}
          formData={data}
          validator={validator}
          fields={fields}
          templates={templates}
          onChange={change}
          showErrorList={false}
          liveValidate
          noHtml5Validate
          tagName="div"
        />
        <aside>
          <h4>Arguments</h4>
          <pre data-part={id}>{JSON.stringify(kept(data, version), null, 2)}</pre>
          <ul className="text-danger" data-errors={id}>
            {errors.map((error) => <li key={error.stack}>{error.stack}</li>)}
          </ul>
        </aside>
      </div>
    </section>
  );
}

function Task({ task, index, version }) {
  const facts = [task.type, task.category, task.modality, ...(task.tags ?? [])].filter(Boolean);
  return (
    <article id={`task-${index}`}>
      <h2>{task.name}</h2>
      <p className="facts">{facts.map((fact) => <span key={fact}>{fact}</span>)}</p>
      {task.notes.length > 0 && (
        <details open={task.notes.length < 4}>
          <summary>{task.notes.length} that the public form can't show, or shows in its own way</summary>
          <ul className="notes">
          {task.notes.map((note, at) => (
            <li key={at} className={note.severity}>
              <b>{note.code}</b> {note.message} {note.hint && <i>{note.hint}</i>} {note.place && <code>{note.place}</code>}
            </li>
          ))}
          </ul>
        </details>
      )}
      {task.docs && <details><summary>Description</summary><Markdown options={MARKDOWN}>{task.docs}</Markdown></details>}
      {task.parts.map((part) => (
        <Part key={part.part} id={`t${index}-${part.part}`} part={part} version={version} titled={task.parts.length > 1} />
      ))}
    </article>
  );
}

function Page({ page }) {
  const [shown, show] = useState(0);
  return (
    <>
      <nav>
        <h1>{page.title}</h1>
        <ol>
          {page.tasks.map((task, index) => (
            <li key={index}>
              <button type="button" aria-current={index === shown} onClick={() => show(index)}>
                {task.name} {task.notes.length > 0 && <span className="count">{task.notes.length}</span>}
              </button>
            </li>
          ))}
        </ol>
        <p className="note">{page.note}</p>
      </nav>
      <main>
        {page.tasks.map((task, index) => (
          <div key={index} hidden={index !== shown}>
            <Task task={task} index={index} version={page.version} />
          </div>
        ))}
      </main>
    </>
  );
}

const page = JSON.parse(document.getElementById("trivet-forms").textContent);
createRoot(document.getElementById("root")).render(<Page page={page} />);
