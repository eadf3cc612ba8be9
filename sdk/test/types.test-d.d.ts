export declare function triggers(): Promise<void>;
