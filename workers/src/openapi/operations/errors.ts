import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const ERRORS_OPERATIONS: Operations = {
  "/api/v1/errors": {
    get: {
      id: "listErrors",
      summary: "List errors: failed runs, grouped by task, type, message and stack",
      query: api.ListErrorsQuery,
      response: api.ListErrorsResponse,
    },
  },
  "/api/v1/errors/{errorId}": {
    get: {
      id: "retrieveError",
      summary: "Retrieve an error, with its occurrences and the last runs that failed with it",
      query: api.RetrieveErrorQuery,
      response: api.ErrorGroupDetail,
    },
  },
  "/api/v1/errors/{errorId}/resolve": {
    post: {
      id: "resolveError",
      summary: "Mark an error as resolved. It recurs when a later version fails with it",
      body: api.ResolveErrorBody,
      optionalBody: true,
      response: api.ErrorGroupDetail,
    },
  },
  "/api/v1/errors/{errorId}/ignore": {
    post: {
      id: "ignoreError",
      summary: "Ignore an error: for a time, until it occurs more often, or permanently",
      body: api.IgnoreErrorBody,
      optionalBody: true,
      response: api.ErrorGroupDetail,
    },
  },
  "/api/v1/errors/{errorId}/unresolve": {
    post: {
      id: "unresolveError",
      summary: "Reopen an error that was resolved or is ignored",
      response: api.ErrorGroupDetail,
    },
  },
};
