export { type ProjectApi, projectApi } from "./api/project-api.ts";
export { type BuiltProject, buildProject, deployProject } from "./deploy.ts";
export { CliError, type Problem, ProblemsError } from "./errors.ts";
