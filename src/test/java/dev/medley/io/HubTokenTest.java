package dev.medley.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.Logger;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.config.Configurator;
import org.apache.logging.log4j.core.config.Property;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A token is for the Hub, and nobody else ever sees it. */
class HubTokenTest {
  private static final String TOKEN = "hf_VerySecret123";
  private static final Location WEIGHTS = Location.of("hf://org/name/model.safetensors");
  private static final Location CONFIG = Location.of("hf://org/name/config.json");

  @TempDir Path folder;
  private final LogLines log = new LogLines();
  private HubServer server;
  private HubUser user;

  /** Everything that Medley logs, and the exceptions with it. */
  private static final class LogLines extends AbstractAppender {
    private static final Logger OF_MEDLEY = (Logger) LogManager.getLogger("dev.medley.io");
    private final List<String> lines = Collections.synchronizedList(new ArrayList<>());
    private final Level before = OF_MEDLEY.getLevel();

    LogLines() {
      super("lines", null, null, true, Property.EMPTY_ARRAY);
    }

    @Override
    public void append(LogEvent event) {
      String thrown = event.getThrown() == null ? "" : text(event.getThrown());
      lines.add(event.getMessage().getFormattedMessage() + thrown);
    }

    @Override
    public void start() {
      super.start();
      OF_MEDLEY.addAppender(this);
      Configurator.setLevel(OF_MEDLEY.getName(), Level.ALL);
    }

    @Override
    public void stop() {
      OF_MEDLEY.removeAppender(this);
      Configurator.setLevel(OF_MEDLEY.getName(), before);
      super.stop();
    }
  }

  private static String text(Throwable thrown) {
    StringWriter text = new StringWriter();
    thrown.printStackTrace(new PrintWriter(text));
    return text.toString();
  }

  @BeforeEach
  void serve() {
    log.start();
    server = new HubServer();
    server.example();
    server.repo("org/name").readers = Set.of(TOKEN);
    server.accounts.add(TOKEN);
    user = new HubUser(folder, server.endpoint());
  }

  @AfterEach
  void nobodySawIt() throws Exception {
    server.close();
    log.stop();
    assertThat(log.lines).isNotEmpty().noneMatch(line -> line.contains("VerySecret"));
    for (String name : user.cached("")) {
      assertThat(Files.readString(user.cache().resolve(name), StandardCharsets.ISO_8859_1))
          .doesNotContain("VerySecret");
    }
  }

  private void assertUnseen(Runnable reading) {
    assertThatThrownBy(reading::run)
        .isInstanceOf(LoadException.class)
        .satisfies(thrown -> assertThat(text(thrown)).doesNotContain("VerySecret"));
  }

  private void assertOnlyTheHubGotIt() {
    assertThat(server.requests())
        .isNotEmpty()
        .allSatisfy(
            request ->
                assertThat(request.token())
                    .isEqualTo(request.host().equals("hub") ? "Bearer " + TOKEN : null));
    assertThat(server.requests()).anyMatch(request -> request.host().equals("cdn"));
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void tokenStaysWhenARedirectLeaves(boolean sameHost) {
    server.sameHost = sameHost; // then the port alone is another
    Storage storage = user.storage("HF_TOKEN", TOKEN);
    assertThat(storage.fetch(CONFIG)).isNotEmptyFile();
    Location repo = Location.of("hf://org/name");
    assertThat(storage.list(repo)).hasSize(7);
    storage.readInPlace(WEIGHTS, (in, length) -> in.read());
    assertThat(storage.fetch(WEIGHTS)).hasBinaryContent(Safetensors.data(300_000));
    assertOnlyTheHubGotIt();
  }

  @Test
  void redirectElsewhereAndBackIsNotTrusted() {
    server.repo("org/name").readers = null;
    String away = server.endpoint().replace("127.0.0.1", "localhost");
    server.fail("GET hub/api/models/org/name/revision", 1, 302, Map.of("Location", away + "/x"));
    server.fail(
        "GET hub/x",
        1,
        302,
        Map.of("Location", server.endpoint() + "/api/models/org/name/revision/main"));
    user.storage("HF_TOKEN", TOKEN).pinned(CONFIG);
    assertThat(server.requests())
        .extracting(HubServer.Request::token)
        .containsExactly("Bearer " + TOKEN, null, null);
    user.storage("HF_TOKEN", TOKEN).fetch(CONFIG);
  }

  @Test
  void errorsDoNotShowIt() {
    Storage storage = user.storage("HF_TOKEN", TOKEN);
    server.fail("/revision/", 1, 403, Map.of("X-Error-Message", "Bearer " + TOKEN + " is bad"));
    assertUnseen(() -> storage.fetch(CONFIG));
    assertThatThrownBy(() -> storage.fetch(CONFIG)).hasMessageContaining("Bearer *** is bad");
    Storage second = user.storage("HF_TOKEN", TOKEN);
    server.change("HEAD hub/api", 1, Map.of("X-Repo-Commit", TOKEN));
    assertUnseen(() -> second.fetch(CONFIG));
    server.change(
        "HEAD",
        1,
        Map.of("X-Linked-Etag", "\"/" + TOKEN + "\"", "Location", "http://localhost:1/"));
    assertUnseen(() -> second.fetch(WEIGHTS));
    server.swap("/revision/", 100, ("{\"sha\": " + TOKEN).getBytes());
    assertUnseen(() -> user.storage("HF_TOKEN", TOKEN).fetch(Location.of("hf://org/name@x/a")));
    server.cut("GET cdn", 100, 0);
    assertUnseen(() -> second.fetch(WEIGHTS));
    server.close();
    assertUnseen(() -> second.fetch(Location.of("hf://org/name/README.md")));
  }

  @Test
  void textThatIsNoTokenIsNotShownEither() {
    assertUnseen(() -> user.storage("HF_TOKEN", "VerySecret\u00e4").fetch(CONFIG));
    assertUnseen(() -> user.storage("HF_TOKEN", "a VerySecret").fetch(CONFIG));
    assertUnseen(() -> user.storage("HF_ENDPOINT", "https://me:VerySecret@host").fetch(CONFIG));
    assertUnseen(() -> user.storage("HF_ENDPOINT", "https://me:Very Secret@host").fetch(CONFIG));
    for (String uri : List.of("hf://me:VerySecret@org/name", "hf://me:VerySecret@org")) {
      assertThatThrownBy(() -> Location.of(uri))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageNotContaining("VerySecret");
    }
    user.storage("HF_TOKEN", TOKEN).fetch(CONFIG);
  }

  @Test
  void tokenIsFoundWhereHuggingfaceHubFindsIt() throws Exception {
    user.storage("HUGGING_FACE_HUB_TOKEN", " " + TOKEN + "\r\n").fetch(CONFIG);
    user.storage("HF_TOKEN", TOKEN, "HUGGING_FACE_HUB_TOKEN", "hf_other").fetch(CONFIG);
    Path file = Files.writeString(folder.resolve("mine"), TOKEN + "\n");
    user.storage("HF_TOKEN_PATH", file.toString()).fetch(WEIGHTS);
    Files.writeString(folder.resolve("token"), TOKEN);
    Location readme = Location.of("hf://org/name/README.md");
    assertUnseen(() -> user.storage("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1").fetch(readme));
    assertThat(user.storage().fetch(readme)).exists();
  }
}
