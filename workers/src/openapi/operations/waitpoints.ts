import * as api from "@acme/sdk/contract/api";
import type { Operations } from "../operation.ts";

export const WAITPOINTS_OPERATIONS: Operations = {
  "/api/v1/waitpoints/tokens": {
    get: {
      id: "listTokens",
      summary: "List tokens, newest first",
      query: api.ListTokensQuery,
      response: api.ListTokensResponse,
    },
    post: {
      id: "createToken",
      summary: "Create a token that runs can wait for",
      body: api.CreateTokenBody,
      optionalBody: true,
      response: api.CreateTokenResponse,
    },
  },
  "/api/v1/waitpoints/tokens/{id}": {
    get: {
      id: "retrieveToken",
      summary: "Retrieve a token",
      response: api.RetrieveTokenResponse,
    },
  },
  "/api/v1/waitpoints/tokens/{id}/complete": {
    post: {
      id: "completeToken",
      summary: "Complete a token. Its public access token is accepted too",
      body: api.CompleteTokenBody,
      optionalBody: true,
      response: api.CompleteTokenResponse,
    },
  },
  "/api/v1/waitpoints/tokens/{id}/links": {
    post: {
      id: "createTokenLink",
      summary: "Create a link to a page on which a person without an account can answer the token",
      body: api.CreateTokenLinkBody,
      optionalBody: true,
      response: api.TokenLink,
    },
  },
  "/api/v1/waitpoints/tokens/{id}/question/{signature}": {
    get: {
      id: "readTokenQuestion",
      summary: "Retrieve a token's question, with the signature of a link to it",
      response: api.TokenQuestion,
    },
    post: {
      id: "answerTokenQuestion",
      summary: "Complete a token with the signature of a link to it",
      body: api.AnswerTokenBody,
      optionalBody: true,
      response: api.TokenQuestion,
    },
  },
  "/api/v1/waitpoints/tokens/{id}/callback/{hash}": {
    post: {
      id: "callBackToken",
      summary: "The token's `url`: a POST completes it with the request's body",
      bytes: "*/*",
      response: api.CompleteTokenResponse,
    },
  },
};
