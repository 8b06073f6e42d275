package dev.medley.notebook;

import io.github.spencerpark.jupyter.channels.JupyterConnection;
import io.github.spencerpark.jupyter.kernel.BaseKernel;
import io.github.spencerpark.jupyter.kernel.KernelConnectionProperties;
import io.github.spencerpark.jupyter.kernel.LanguageInfo;
import io.github.spencerpark.jupyter.kernel.ReplacementOptions;
import io.github.spencerpark.jupyter.kernel.display.DisplayData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * A Jupyter kernel for Java on Spark. Its protocol is jupyter-jvm-basekernel's; what is here are
 * cells by {@link JavaShell}, what they show, how far they are, and how they are interrupted.
 */
final class JavaKernel extends BaseKernel {
  private final SparkJobs jobs = new SparkJobs();
  private final JavaShell shell = new JavaShell(jobs);

  private JavaKernel() {
    Show.to(mime -> display(data(mime)));
  }

  /** Serves one notebook until it is closed. */
  public static void main(String[] arguments) throws Exception {
    Logger.getLogger("").setLevel(Level.WARNING); // else it tells of every message
    endWithParent();
    String connection = Files.readString(Path.of(arguments[0]));
    JupyterConnection jupyter = new JupyterConnection(KernelConnectionProperties.parse(connection));
    new JavaKernel().becomeHandlerForConnection(jupyter);
    jupyter.connect();
    jupyter.waitUntilClose();
    System.exit(0); // whatever threads cells have left
  }

  /** A Jupyter that is killed asks nobody to end. */
  private static void endWithParent() {
    String parent = System.getenv("JPY_PARENT_PID");
    if (parent != null) {
      ProcessHandle.of(Long.parseLong(parent))
          .ifPresent(process -> process.onExit().thenRun(() -> System.exit(0)));
    }
  }

  @Override
  public DisplayData eval(String source) throws CellException {
    Progress progress = new Progress(jobs::running, new Place()::show);
    try {
      Map<String, String> value = shell.run(executionCount.get() - 1, source);
      return value == null ? null : data(value);
    } finally {
      progress.close();
    }
  }

  /** One output that changes. */
  private final class Place {
    private final String id = UUID.randomUUID().toString();
    private boolean isThere;

    private void show(Map<String, String> mime) {
      DisplayData data = data(mime);
      data.setDisplayId(id);
      if (isThere) {
        getIO().display.updateDisplay(data);
      } else {
        display(data);
      }
      isThere = true;
    }
  }

  private static DisplayData data(Map<String, String> mime) {
    DisplayData data = new DisplayData();
    mime.forEach(data::putData);
    return data;
  }

  /** Beside the thread that takes requests, which a notebook may want in the meantime. */
  @Override
  public void interrupt() {
    Thread thread = new Thread(shell::interrupt, "interrupt");
    thread.setDaemon(true);
    thread.start();
  }

  @Override
  public List<String> formatError(Exception e) {
    return e instanceof CellException cell ? cell.lines() : super.formatError(e);
  }

  @Override
  public ReplacementOptions complete(String source, int cursor) {
    JavaShell.Completions found = shell.complete(source, cursor);
    return new ReplacementOptions(found.texts(), found.from(), found.to());
  }

  @Override
  public String isComplete(String source) {
    return shell.isComplete(source) ? IS_COMPLETE_YES : "  ";
  }

  @Override
  public LanguageInfo getLanguageInfo() {
    return new LanguageInfo.Builder("java")
        .version(Runtime.version().toString())
        .mimetype("text/x-java-source")
        .fileExtension(".java")
        .codemirror("text/x-java")
        .pygments("java")
        .build();
  }

  @Override
  public void onShutdown(boolean isRestarting) {
    shell.close();
  }
}
