/** Machine presets: CPU in cores, memory in GB. */
export const MACHINES = {
  micro: { cpu: 0.25, memory: 0.25 },
  "small-1x": { cpu: 0.5, memory: 0.5 },
  "small-2x": { cpu: 1, memory: 1 },
  "medium-1x": { cpu: 1, memory: 2 },
  "medium-2x": { cpu: 2, memory: 4 },
  "large-1x": { cpu: 4, memory: 8 },
  "large-2x": { cpu: 8, memory: 16 },
} as const;
export type MachinePreset = keyof typeof MACHINES;
export const MACHINE_PRESETS = Object.keys(MACHINES) as [MachinePreset, ...MachinePreset[]];
export const DEFAULT_MACHINE: MachinePreset = "small-1x";
