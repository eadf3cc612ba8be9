export declare function Component(): void;
