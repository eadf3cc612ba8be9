import type { TokenQuestion } from "@acme/sdk/contract/api";
import { request } from "./request.ts";

export type Question = TokenQuestion;

const pathOf = (token: string, signature: string): string =>
  `/api/v1/waitpoints/tokens/${encodeURIComponent(token)}/question/${encodeURIComponent(signature)}`;

/** A token's question, for a person with a link to it. */
export const fetchQuestion = (token: string, signature: string, signal?: AbortSignal): Promise<Question> =>
  request(pathOf(token, signature), { signal });

export const answerQuestion = (
  token: string,
  signature: string,
  data: unknown,
  name: string | undefined,
): Promise<Question> => request(pathOf(token, signature), { method: "POST", body: { data, name } });
