package dev.medley.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HubSettingsTest {
  private static HubSettings of(String variables) {
    Map<String, String> env = new HashMap<>(Map.of("HOME", "/home/me"));
    for (String variable : variables.split(";")) {
      int is = variable.indexOf('=');
      if (is > 0) {
        env.put(variable.substring(0, is), variable.substring(is + 1));
      }
    }
    return new HubSettings(env);
  }

  @ParameterizedTest
  @CsvSource({
    "'',                                                /home/me/.cache/huggingface/hub",
    "XDG_CACHE_HOME=/xdg,                               /xdg/huggingface/hub",
    "XDG_CACHE_HOME=/xdg;HF_HOME=/hf,                   /hf/hub",
    "HF_HOME=~/hf,                                      /home/me/hf/hub",
    "HF_HOME=/hf;HUGGINGFACE_HUB_CACHE=/old,            /old",
    "HF_HUB_CACHE=/new;HUGGINGFACE_HUB_CACHE=/old,      /new",
    "HF_HUB_CACHE=$DISK/${USER}/x$NONE;DISK=/d;USER=u,  /d/u/x$NONE",
  })
  void cacheFolderIsHuggingfaceHubs(String variables, String folder) {
    assertThat(of(variables).cacheFolder()).isEqualTo(Path.of(folder));
  }

  @Test
  void withoutAWordTheHubIsHuggingFaces() {
    HubSettings settings = of("");
    assertThat(settings.endpoint()).hasToString("https://huggingface.co");
    assertThat(settings.offline()).isEmpty();
    assertThat(settings.token()).isEmpty();
    assertThat(settings.mayLink()).isTrue();
    assertThat(settings.headTimeout()).isEqualTo(Duration.ofSeconds(10));
    assertThat(settings.downloadTimeout()).isEqualTo(Duration.ofSeconds(10));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"huggingface.co", "ftp://host", "https://", "https://host?x", "http://a b/", ""})
  void endpointThatIsNoneIsRefused(String endpoint) {
    assertThatThrownBy(() -> of("HF_ENDPOINT=" + endpoint))
        .isInstanceOf(LoadException.class)
        .hasMessage(
            "HF_ENDPOINT: expected http(s)://host[:port][/path] without a user; a token goes into"
                + " HF_TOKEN");
  }

  @Test
  void endpointMayEndInASlash() {
    assertThat(of("HF_ENDPOINT=http://mirror:8080/hf/").endpoint())
        .hasToString("http://mirror:8080/hf");
  }

  @Test
  void timeoutThatIsNoneIsRefused() {
    assertThatThrownBy(() -> of("HF_HUB_ETAG_TIMEOUT=soon").headTimeout())
        .isInstanceOf(LoadException.class)
        .hasMessage("HF_HUB_ETAG_TIMEOUT: expected whole seconds, found \"soon\"");
  }

  @Test
  void systemPropertyWinsOverTheEnvironment() {
    String before = System.getProperty("HF_HUB_CACHE");
    System.setProperty("HF_HUB_CACHE", "/of/this/jvm");
    try {
      assertThat(HubSettings.ofThisProcess()).containsEntry("HF_HUB_CACHE", "/of/this/jvm");
    } finally {
      if (before == null) {
        System.clearProperty("HF_HUB_CACHE");
      } else {
        System.setProperty("HF_HUB_CACHE", before);
      }
    }
    assertThat(HubSettings.ofThisProcess()).containsAllEntriesOf(System.getenv());
  }
}
