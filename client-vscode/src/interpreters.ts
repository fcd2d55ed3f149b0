import * as vscode from "vscode";

/** What one of the Python extensions can tell. */
interface Source {
  interpreter(folder: vscode.Uri | undefined): Promise<string | undefined>;
  onDidChange(listener: () => void): vscode.Disposable;
}

/** The API of ms-python.python, as far as it is used. */
interface PythonApi {
  readonly environments: {
    getActiveEnvironmentPath(folder?: vscode.Uri): { readonly path: string };
    resolveEnvironment(environment: {
      readonly path: string;
    }): Promise<{ readonly executable: { readonly uri?: vscode.Uri } } | undefined>;
    readonly onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
  };
}

/** The API of ms-python.vscode-python-envs, as far as it is used. */
interface EnvironmentsApi {
  getEnvironment(
    folder: vscode.Uri | undefined,
  ): Promise<{ readonly execInfo: { readonly run: { readonly executable: string } } } | undefined>;
  readonly onDidChangeEnvironment: vscode.Event<unknown>;
}

const SOURCES: Readonly<Record<string, (api: unknown) => Source>> = {
  "ms-python.vscode-python-envs": (api) => {
    const environments = api as EnvironmentsApi;
    return {
      interpreter: async (folder) => (await environments.getEnvironment(folder))?.execInfo.run.executable,
      onDidChange: (listener) => environments.onDidChangeEnvironment(listener),
    };
  },
  "ms-python.python": (api) => {
    const { environments } = api as PythonApi;
    return {
      interpreter: async (folder) => {
        const active = environments.getActiveEnvironmentPath(folder);
        return (await environments.resolveEnvironment(active))?.executable.uri?.fsPath;
      },
      onDidChange: (listener) => environments.onDidChangeActiveEnvironmentPath(listener),
    };
  },
};

/** The interpreter that a Python extension chose for a folder, whichever extension there is. */
export class Interpreters implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly disposables: vscode.Disposable[] = [this.changed];
  private source: Promise<Source | undefined> | undefined;

  readonly onDidChange = this.changed.event;

  constructor() {
    this.disposables.push(
      vscode.extensions.onDidChange(() => {
        this.source = undefined;
        this.changed.fire();
      }),
    );
  }

  /** Undefined where no Python extension is installed, where it chose nothing, and where it fails. */
  async of(folder: vscode.Uri | undefined): Promise<string | undefined> {
    try {
      this.source ??= this.open();
      return await (await this.source)?.interpreter(folder);
    } catch {
      return undefined;
    }
  }

  dispose(): void {
    vscode.Disposable.from(...this.disposables).dispose();
  }

  private async open(): Promise<Source | undefined> {
    for (const [id, connect] of Object.entries(SOURCES)) {
      const extension = vscode.extensions.getExtension<unknown>(id);
      const api = extension && (extension.isActive ? extension.exports : await extension.activate());
      if (api) {
        const source = connect(api);
        this.disposables.push(
          source.onDidChange(() => {
            this.changed.fire();
          }),
        );
        return source;
      }
    }
    return undefined;
  }
}
