import type { z } from "zod";
import type { OperationId } from "../auth/access.ts";

/** A route of the API. */
export interface Operation {
  /** Name of the function in generated clients, which must not change. `ACCESS` says what the route takes by this name. */
  id: OperationId;
  summary: string;
  body?: z.ZodType;
  /** The body may be left out: that is the same as `{}`. */
  optionalBody?: boolean;
  query?: z.ZodObject;
  response?: z.ZodType;
  status?: number;
  headers?: Record<string, string>;
  /** Content type of a body that is not one JSON value. */
  bodyType?: string;
  /** Content type of a body that has no schema. */
  bytes?: string;
  /** Content type of an answer that has no schema. */
  download?: string;
}

/** Operations by path and method. */
export type Operations = Record<string, Record<string, Operation>>;
