import type { LogSearch } from "../store.ts";
import { storedForms } from "./attributes.ts";
import { toDateTime } from "./times.ts";

/** A statement's conditions, and the values of their parameters. */
export interface Conditions {
  sql: string[];
  params: Record<string, unknown>;
}

/** The maximum number of words: more only cost time. */
const MAX_WORDS = 16;

/** Returns the terms that the message has to contain: words, and phrases in quotes. Case does not matter. */
export function termsOf(text: string): string[] {
  const terms = [...text.matchAll(/"([^"]+)"|([^\s"]+)/g)].map(([, phrase, word]) => phrase ?? word ?? "");
  return terms.map((term) => term.toLowerCase()).slice(0, MAX_WORDS);
}

/** Returns a LIKE pattern that matches everything that contains the text. */
const containing = (text: string): string => `%${text.replaceAll(/[\\%_]/g, "\\$&")}%`;

/** The expression of the index `by_text`, which serves only this expression. */
const TEXT = "lower(message)";
/** The expression of the index `by_attribute`. */
const PAIRS =
  "arrayMap((name, value) -> concat(name, '=', value), mapKeys(attributes), mapValues(attributes))";

/**
 * Returns the conditions for a message that contains all of the terms. The index has whole words. ClickHouse
 * looks among those for all that contain a text without signs in it, but of `order-17` it takes no word for
 * whole, and reads every line: so the message also has to contain `order`, and `17`.
 */
export function messageConditions(terms: string[]): Conditions {
  const params: Record<string, unknown> = {};
  const sql = [...new Set(terms.flatMap((term) => [term, ...wordsOf(term)]))].map((text, index) => {
    params[`term${index}`] = containing(text);
    return `${TEXT} LIKE {term${index}:String}`;
  });
  return { sql, params };
}

/** As the index takes a text apart: at each ASCII character that is no letter and no digit. */
const wordsOf = (term: string): string[] =>
  term
    .split(/[^a-z0-9\u0080-\uffff]+/)
    .filter((word) => word !== "")
    .slice(0, MAX_WORDS);

/** Returns the conditions for the log lines of a search. The environment always comes first. */
export function searchConditions(environment: string, search: LogSearch): Conditions {
  const { sql, params } = messageConditions(search.text === undefined ? [] : termsOf(search.text));
  sql.unshift(
    "environment_key = {environment:String}",
    "time >= {from:DateTime64(6, 'UTC')}",
    "time <= {to:DateTime64(6, 'UTC')}",
  );
  Object.assign(params, { environment, from: toDateTime(search.from), to: toDateTime(search.to) });
  if (search.levels) {
    sql.push("level IN {levels:Array(String)}");
    params.levels = search.levels;
  }
  if (search.runId !== undefined) {
    sql.push("run_id = {runId:String}");
    params.runId = search.runId;
  }
  if (search.tasks) {
    // A line does not name its task, so its run is looked up. A run begins before it logs, but rarely more
    // than a week before.
    sql.push(`run_id IN (
      SELECT id FROM runs
      WHERE environment_key = {environment:String} AND task IN {tasks:Array(String)}
        AND created_at >= {from:DateTime64(6, 'UTC')} - toIntervalDay(7) AND created_at <= {to:DateTime64(6, 'UTC')})`);
    params.tasks = search.tasks;
  }
  for (const [index, { name, value }] of (search.attributes ?? []).entries()) {
    const forms = storedForms(value).map((form) => `${name}=${form}`);
    sql.push(
      forms.length === 1
        ? `has(${PAIRS}, {pair${index}:String})`
        : `hasAny(${PAIRS}, {pair${index}:Array(String)})`,
    );
    params[`pair${index}`] = forms.length === 1 ? forms[0] : forms;
  }
  return { sql, params };
}
