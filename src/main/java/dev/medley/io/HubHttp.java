package dev.medley.io;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One HTTP request to the Hub with its redirects. The token goes to the Hub alone: who is
 * redirected elsewhere, as all who read what lies in LFS, comes without it.
 */
final class HubHttp {
  private static final Logger log = LoggerFactory.getLogger(HubHttp.class);
  private static final int MOST_REDIRECTS = 20;
  private static final Set<Integer> REDIRECTS = Set.of(301, 302, 303, 307, 308);
  private static final Set<Integer> PASSING = Set.of(408, 429, 500, 502, 503, 504);

  /** The same Hub by all its names. */
  private static final Set<String> PUBLIC_HOSTS = Set.of("huggingface.co", "hf.co");

  private static final Pattern RATE_LIMIT =
      Pattern.compile("\"\\w+\"\\s*;\\s*r=0\\s*;\\s*t=(\\d+)");

  /** Made when first needed. Its threads are daemons, one that waits and those that are at work. */
  private static final class Client {
    static final HttpClient OF_THIS_JVM =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .build();
  }

  private final HubSettings settings;

  HubHttp(HubSettings settings) {
    this.settings = settings;
  }

  /**
   * The answer behind the redirects, or that of a HEAD's redirect elsewhere where it already says
   * what the file is. Whoever gets it closes its body.
   *
   * @param range such as {@code bytes=0-99}; null for all
   * @throws IOException where there is none, or one that may be another one later
   */
  HttpResponse<InputStream> send(String method, URI uri, String range, Duration timeout)
      throws IOException {
    URI at = uri;
    boolean withToken = true;
    for (int i = 0; i <= MOST_REDIRECTS; i++) {
      HttpResponse<InputStream> answer =
          sendOnce(request(method, at, range, timeout, withToken), timeout);
      String location = answer.headers().firstValue("Location").orElse(null);
      if (location == null || !REDIRECTS.contains(answer.statusCode())) {
        throwIfPassing(answer, at);
        return answer;
      }
      URI target = at.resolve(address(location));
      boolean elsewhere = !isHub(target);
      boolean saysAll = answer.headers().firstValue("X-Repo-Commit").isPresent();
      if (method.equals("HEAD") && elsewhere && saysAll) {
        return answer;
      }
      discard(answer);
      if ("https".equals(at.getScheme()) && !"https".equals(target.getScheme())) {
        throw new LoadException(
            settings.endpoint().toString(), "redirects from https to " + target.getScheme());
      }
      withToken &= !elsewhere;
      at = target;
    }
    throw new LoadException(
        settings.endpoint().toString(), "redirects more than " + MOST_REDIRECTS + " times");
  }

  /** The token out of a text that others wrote. */
  String withoutToken(String text) {
    String shown = text == null ? "" : text;
    return settings.token().map(token -> shown.replace(token, "***")).orElse(shown);
  }

  /** The exception, null where it or what is behind it has the token in its text. */
  <E extends Throwable> E withoutToken(E thrown) {
    for (Throwable each = thrown; each != null; each = each.getCause()) {
      String text = String.valueOf(each.getMessage());
      if (!text.equals(withoutToken(text))) {
        return null;
      }
    }
    return thrown;
  }

  URI endpoint() {
    return settings.endpoint();
  }

  boolean hasToken() {
    return settings.token().isPresent();
  }

  private HttpRequest request(
      String method, URI at, String range, Duration timeout, boolean withToken) {
    HttpRequest.Builder request;
    try {
      request = HttpRequest.newBuilder(at);
    } catch (IllegalArgumentException e) { // its message has the address too
      throw new LoadException(
          settings.endpoint().toString(), "redirects to what is no http address");
    }
    request
        .method(method, HttpRequest.BodyPublishers.noBody())
        .timeout(timeout)
        .header("Accept-Encoding", "identity")
        .header("User-Agent", "medley; java/" + Runtime.version().feature());
    if (range != null) {
      request.header("Range", range);
    }
    if (withToken && isHub(at)) {
      settings.token().ifPresent(token -> request.header("Authorization", "Bearer " + token));
    }
    return request.build();
  }

  private static HttpResponse<InputStream> sendOnce(HttpRequest request, Duration timeout)
      throws IOException {
    try {
      return Client.OF_THIS_JVM.send(request, head -> new BodyStream(timeout));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while asking the Hub");
    }
  }

  /** Reads a short body to its end, since a connection is used again only then. */
  private static void discard(HttpResponse<InputStream> answer) {
    try (InputStream body = answer.body()) {
      body.readNBytes(1 << 14);
    } catch (IOException e) {
      log.debug("the body of a redirect or an error was cut", e);
    }
  }

  /** Scheme, host and port: what browsers call an origin. */
  private boolean isHub(URI target) {
    URI hub = settings.endpoint();
    boolean isPublic =
        "https".equals(target.getScheme())
            && port(target) == 443
            && PUBLIC_HOSTS.contains(hub.getHost())
            && PUBLIC_HOSTS.contains(String.valueOf(target.getHost()));
    return isPublic
        || hub.getScheme().equals(target.getScheme())
            && hub.getHost().equalsIgnoreCase(target.getHost())
            && port(hub) == port(target);
  }

  private static int port(URI uri) {
    return uri.getPort() >= 0 ? uri.getPort() : "https".equals(uri.getScheme()) ? 443 : 80;
  }

  /** Signed addresses hold characters that Java's URI does not take. */
  URI address(String location) throws IOException {
    StringBuilder text = new StringBuilder();
    for (byte b : location.getBytes(StandardCharsets.UTF_8)) {
      boolean isFine = b > ' ' && b < 127 && "\"<>\\^`{|}".indexOf(b) < 0;
      text.append(isFine ? String.valueOf((char) b) : String.format("%%%02X", b & 0xff));
    }
    try {
      return new URI(text.toString());
    } catch (URISyntaxException e) { // its message has the address, and a signature with it
      throw new IOException(settings.endpoint() + " redirects to what is no address");
    }
  }

  private void throwIfPassing(HttpResponse<InputStream> answer, URI at) throws IOException {
    if (!PASSING.contains(answer.statusCode())) {
      return;
    }
    discard(answer);
    String problem = at.getHost() + " answered " + answer.statusCode();
    Map<String, String> first = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    answer.headers().map().forEach((name, values) -> first.put(name, values.get(0)));
    Matcher limit = RATE_LIMIT.matcher(first.getOrDefault("ratelimit", ""));
    String wait = limit.find() ? limit.group(1) : first.getOrDefault("Retry-After", "").strip();
    if (wait.matches("\\d{1,9}")) {
      Duration asked = Duration.ofSeconds(Long.parseLong(wait));
      throw new HubRetries.Later(problem + " and wants to be asked in " + wait + " s", asked);
    }
    throw new IOException(problem);
  }
}
