package dev.medley.io;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What the Hub is asked: which commit a revision is at, which files that has, what one of them is,
 * and its bytes. Answers that will stay as they are, such as that there is no such model, are
 * LoadExceptions; none at all is HubUnreachable.
 */
final class HubClient {
  private static final JsonFactory JSON = new JsonFactory();
  private static final Pattern NEXT = Pattern.compile("<([^>]*)>\\s*;[^,]*rel=\"?next\"?");
  private static final int MOST_PAGES = 10_000;

  private final HubSettings settings;
  private final HubRetries retries;
  private final HubHttp http;

  HubClient(HubSettings settings, HubRetries retries) {
    this.settings = settings;
    this.retries = retries;
    this.http = new HubHttp(settings);
  }

  /** The commit that a revision is at. */
  String commit(HubPath at, HubRetries tries) throws HubUnreachable {
    URI uri = api(at, "revision/" + quoted(at.revisionOrMain()));
    String sha =
        reaching(
            tries,
            progress -> {
              var answer = http.send("GET", uri, null, settings.downloadTimeout());
              try (InputStream body = answer.body()) {
                HubRefusal.check(at, answer, http);
                return topLevel(body, "sha");
              }
            });
    if (!HubPath.isCommit(sha)) {
      throw noHub(at, "expected a commit of 40 hexadecimal digits, found " + Shown.quoted(sha));
    }
    return sha;
  }

  /** All files of a commit. */
  HubTree tree(HubPath at) throws HubUnreachable {
    NavigableMap<String, HubTree.Entry> files = new TreeMap<>();
    URI next = api(at, "tree/" + at.revision() + "?recursive=true&expand=false");
    for (int page = 0; next != null; page++) {
      if (page == MOST_PAGES) {
        throw noHub(at, "expected an end to the list of files, found " + page + " pages");
      }
      URI uri = next;
      next = reaching(retries, progress -> page(at, uri, files));
    }
    return new HubTree(files);
  }

  /** What a file is; empty where the commit has none. */
  Optional<HubFile> file(HubPath file) throws HubUnreachable {
    HttpResponse<InputStream> answer =
        reaching(
            retries,
            progress -> {
              var head = http.send("HEAD", resolve(file), null, settings.headTimeout());
              head.body().close();
              return head;
            });
    if (HubRefusal.isNoEntry(answer)) {
      return Optional.empty();
    }
    HubRefusal.check(file.root(), answer, http);
    String commit = header(answer, "X-Repo-Commit");
    if (!file.revision().equals(commit)) {
      throw noHub(
          file,
          "expected the commit "
              + file.revision()
              + " in the header X-Repo-Commit, found "
              + Shown.quoted(commit));
    }
    String etag = etag(answer);
    if (!HubFile.isName(etag)) {
      throw noHub(file, "expected an ETag that names the file, found " + Shown.quoted(etag));
    }
    String linked = header(answer, "X-Linked-Size");
    boolean elsewhere = answer.statusCode() / 100 == 3; // then the length is the redirect's
    String size = linked.isEmpty() && !elsewhere ? header(answer, "Content-Length") : linked;
    return Optional.of(
        new HubFile(commit, etag, size.matches("\\d{1,18}") ? Long.parseLong(size) : -1));
  }

  /**
   * A file's bytes from a place on, once: who wants them again asks again.
   *
   * @param last the last byte, at least {@code first}; negative for all that there is
   */
  HttpResponse<InputStream> open(HubPath file, long first, long last) throws IOException {
    String range =
        first == 0 && last < 0 ? null : "bytes=" + first + "-" + (last < 0 ? "" : "" + last);
    var answer = http.send("GET", resolve(file), range, settings.downloadTimeout());
    if (answer.statusCode() != 416) {
      HubRefusal.check(file.root(), answer, http);
    }
    return answer;
  }

  HubRetries retries() {
    return retries;
  }

  /** With quotes and such taken off; empty where there is none. */
  static String etag(HttpResponse<?> answer) {
    String linked = header(answer, "X-Linked-Etag");
    return HubFile.normalized(linked.isEmpty() ? header(answer, "ETag") : linked);
  }

  static String header(HttpResponse<?> answer, String name) {
    return answer.headers().firstValue(name).orElse("");
  }

  /** Tries until something answers. */
  <T> T reaching(HubRetries tries, HubRetries.Attempt<T> attempt) throws HubUnreachable {
    try {
      return tries.run(attempt);
    } catch (IOException e) {
      if (Thread.currentThread().isInterrupted()) { // which says nothing of the Hub
        throw new LoadException(
            settings.endpoint().toString(), "interrupted while it was asked", e);
      }
      String reason = http.withoutToken(e.getMessage() == null ? e.toString() : e.getMessage());
      throw new HubUnreachable(
          settings.endpoint() + " could not be reached: " + reason, http.withoutToken(e));
    }
  }

  private URI page(HubPath at, URI uri, NavigableMap<String, HubTree.Entry> files)
      throws IOException {
    var answer = http.send("GET", uri, null, settings.downloadTimeout());
    try (InputStream body = answer.body()) {
      HubRefusal.check(at, answer, http);
      HubTree.addPage(body, files, at.toString());
    }
    for (String link : answer.headers().allValues("Link")) {
      Matcher next = NEXT.matcher(link);
      if (next.find()) {
        return uri.resolve(http.address(next.group(1)));
      }
    }
    return null;
  }

  private URI api(HubPath at, String rest) {
    return URI.create(settings.endpoint() + "/api/models/" + at.repo() + "/" + rest);
  }

  private URI resolve(HubPath file) {
    String path =
        Arrays.stream(file.path().split("/"))
            .map(HubClient::quoted)
            .collect(Collectors.joining("/"));
    return URI.create(
        settings.endpoint() + "/" + file.repo() + "/resolve/" + file.revision() + "/" + path);
  }

  private static String quoted(String part) {
    return URLEncoder.encode(part, StandardCharsets.UTF_8).replace("+", "%20");
  }

  /** A text of a JSON object, the rest of which may be long. */
  private static String topLevel(InputStream in, String name) throws IOException {
    try (JsonParser json = JSON.createParser(in)) {
      if (json.nextToken() == JsonToken.START_OBJECT) {
        while (json.nextToken() == JsonToken.FIELD_NAME) {
          boolean found = json.currentName().equals(name);
          if (json.nextToken() == JsonToken.VALUE_STRING && found) {
            return json.getText();
          }
          json.skipChildren();
        }
      }
      return "";
    }
  }

  private LoadException noHub(HubPath at, String problem) {
    return HubRefusal.noHub(at, problem, http);
  }
}
