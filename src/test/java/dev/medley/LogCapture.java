package dev.medley;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.LoggerContext;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.config.LoggerConfig;
import org.apache.logging.log4j.core.config.Property;

/** Everything that is logged at a level until it is closed, with stack traces. */
public final class LogCapture extends AbstractAppender implements AutoCloseable {
  private final List<String> events = new CopyOnWriteArrayList<>();
  private final LoggerContext context = (LoggerContext) LogManager.getContext(false);
  private final LoggerConfig root = context.getConfiguration().getRootLogger();
  private final Level before = root.getLevel();

  /** Begins. */
  public LogCapture(Level level) {
    super("capture", null, null, false, Property.EMPTY_ARRAY);
    start();
    root.addAppender(this, level, null);
    root.setLevel(level);
    context.updateLoggers();
  }

  @Override
  public void append(LogEvent event) {
    String thrown =
        event.getThrown() == null
            ? ""
            : " " + event.getThrownProxy().getExtendedStackTraceAsString();
    events.add(
        event.getLevel()
            + " "
            + event.getLoggerName()
            + ": "
            + event.getMessage().getFormattedMessage()
            + thrown);
  }

  /** One line an event. */
  public String text() {
    return events.stream().collect(Collectors.joining("\n"));
  }

  @Override
  public void close() {
    root.removeAppender("capture");
    root.setLevel(before);
    context.updateLoggers();
    stop();
  }
}
