import type { ApiPromise } from "../client/api-promise.ts";
import {
  type CreateEnvironmentVariableParams,
  deleteEnvironmentVariable,
  type EnvironmentVariable,
  type EnvironmentVariableResponse,
  getEnvironmentVariable,
  type ImportEnvironmentVariablesParams,
  importEnvironmentVariables,
  listEnvironmentVariables,
  type NamedEnvironment,
  postEnvironmentVariable,
  putEnvironmentVariable,
  type UpdateEnvironmentVariableParams,
} from "../client/envvars-api.ts";
import type { ApiRequestOptions } from "../client/request-options.ts";
import { currentRun } from "../run/state.ts";

type Result = ApiPromise<EnvironmentVariableResponse>;

function list(
  projectRef: string,
  slug: string,
  options?: ApiRequestOptions,
): ApiPromise<EnvironmentVariable[]>;
function list(options?: ApiRequestOptions): ApiPromise<EnvironmentVariable[]>;
function list(first?: string | ApiRequestOptions, slug?: string, options?: ApiRequestOptions) {
  if (typeof first === "string") return listEnvironmentVariables(named(first, slug), options);
  return listEnvironmentVariables(ofRun(), first);
}

function retrieve(
  projectRef: string,
  slug: string,
  name: string,
  options?: ApiRequestOptions,
): ApiPromise<EnvironmentVariable>;
function retrieve(name: string, options?: ApiRequestOptions): ApiPromise<EnvironmentVariable>;
function retrieve(
  first: string,
  second?: string | ApiRequestOptions,
  name?: string,
  options?: ApiRequestOptions,
) {
  if (typeof second === "string" && name !== undefined)
    return getEnvironmentVariable(named(first, second), name, options);
  return getEnvironmentVariable(ofRun(), first, second as ApiRequestOptions | undefined);
}

function create(
  projectRef: string,
  slug: string,
  params: CreateEnvironmentVariableParams,
  options?: ApiRequestOptions,
): Result;
function create(params: CreateEnvironmentVariableParams, options?: ApiRequestOptions): Result;
function create(
  first: string | CreateEnvironmentVariableParams,
  second?: string | ApiRequestOptions,
  params?: CreateEnvironmentVariableParams,
  options?: ApiRequestOptions,
) {
  if (typeof first !== "string")
    return postEnvironmentVariable(ofRun(), first, second as ApiRequestOptions | undefined);
  return postEnvironmentVariable(named(first, second), given(params), options);
}

function update(
  projectRef: string,
  slug: string,
  name: string,
  params: UpdateEnvironmentVariableParams,
  options?: ApiRequestOptions,
): Result;
function update(name: string, params: UpdateEnvironmentVariableParams, options?: ApiRequestOptions): Result;
function update(
  first: string,
  second: string | UpdateEnvironmentVariableParams,
  third?: string | ApiRequestOptions,
  params?: UpdateEnvironmentVariableParams,
  options?: ApiRequestOptions,
) {
  if (typeof second !== "string")
    return putEnvironmentVariable(ofRun(), first, second, third as ApiRequestOptions | undefined);
  return putEnvironmentVariable(
    named(first, second),
    given(third as string | undefined),
    given(params),
    options,
  );
}

function del(projectRef: string, slug: string, name: string, options?: ApiRequestOptions): Result;
function del(name: string, options?: ApiRequestOptions): Result;
function del(first: string, second?: string | ApiRequestOptions, name?: string, options?: ApiRequestOptions) {
  if (typeof second === "string" && name !== undefined)
    return deleteEnvironmentVariable(named(first, second), name, options);
  return deleteEnvironmentVariable(ofRun(), first, second as ApiRequestOptions | undefined);
}

function upload(
  projectRef: string,
  slug: string,
  params: ImportEnvironmentVariablesParams,
  options?: ApiRequestOptions,
): Result;
function upload(params: ImportEnvironmentVariablesParams, options?: ApiRequestOptions): Result;
function upload(
  first: string | ImportEnvironmentVariablesParams,
  second?: string | ApiRequestOptions,
  params?: ImportEnvironmentVariablesParams,
  options?: ApiRequestOptions,
) {
  if (typeof first !== "string")
    return importEnvironmentVariables(ofRun(), first, second as ApiRequestOptions | undefined);
  return importEnvironmentVariables(named(first, second), given(params), options);
}

function named(projectRef: string, slug: unknown): NamedEnvironment {
  const { environment } = currentRun()?.ctx ?? {};
  const of = typeof slug === "string" ? slug : environment?.slug;
  if (of === undefined)
    throw new Error("Give the environment's slug after the project's ref: \"prod\", for example");
  return { projectRef, slug: of };
}

function ofRun(): NamedEnvironment {
  const ctx = currentRun()?.ctx;
  if (ctx) return { projectRef: ctx.project.ref, slug: ctx.environment.slug };
  throw new Error("Outside of a run, give the project's ref and the environment's slug first");
}

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("An argument is missing: see the parameters of envvars");
  return value;
}

/**
 * Manages environment variables. A change reaches attempts that start at least 10 s later, and never a
 * running one. Inside a run, project and environment may be left out. Every function throws ApiError or a
 * subclass.
 */
export const envvars = {
  /** Lists variables by name. Values of secret variables are `<redacted>`. */
  list,
  retrieve,
  /** Creates or replaces a variable. */
  create,
  /** Updates an existing variable. */
  update,
  del,
  /** Sets many variables at once: either all or none. */
  upload,
};
