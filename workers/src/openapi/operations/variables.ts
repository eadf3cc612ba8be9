import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const VARIABLES_OPERATIONS: Operations = {
  "/api/v1/projects/{ref}/envvars/{env}": {
    get: {
      id: "listVariables",
      summary: "List environment variables by name; values of secrets are redacted",
      response: api.ListVariablesResponse,
    },
    post: {
      id: "createVariable",
      summary: "Set an environment variable, whether or not it exists",
      body: api.CreateVariableBody,
      response: api.VariablesChanged,
    },
  },
  "/api/v1/projects/{ref}/envvars/{env}/import": {
    post: {
      id: "importVariables",
      summary: "Set many environment variables, all or none; existing ones are replaced only with `override`",
      body: api.ImportVariablesBody,
      response: api.VariablesChanged,
    },
  },
  "/api/v1/projects/{ref}/envvars/{env}/{name}": {
    get: {
      id: "retrieveVariable",
      summary: "Retrieve an environment variable",
      response: api.VariableObject,
    },
    put: {
      id: "updateVariable",
      summary: "Change an existing environment variable",
      body: api.UpdateVariableBody,
      response: api.VariablesChanged,
    },
    delete: {
      id: "deleteVariable",
      summary: "Delete an environment variable",
      response: api.VariablesChanged,
    },
  },
  "/api/v1/organizations/{organization}/encryption/rotate": {
    post: {
      id: "rotateEncryption",
      summary: "Encrypt all variables of an organization with a new key",
      response: api.RotatedEncryption,
    },
  },
  "/admin/v1/encryption/rewrap": {
    post: {
      id: "rewrapEncryption",
      summary: "Wrap the keys of all organizations with the first key of ENCRYPTION_KEYS",
      response: api.RewrappedEncryption,
    },
  },
};
