package dev.medley.io;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The Hugging Face Hub as far as models are read from it, by HTTP on this machine, and on another
 * host and port the CDN that it sends those to who want what lies in LFS. {@code hub.py} shows that
 * huggingface_hub takes it for the Hub.
 */
public final class HubServer implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Pattern RESOLVE = Pattern.compile("/([^/]+/[^/]+)/resolve/([^/]+)/(.+)");
  private static final Pattern CACHED =
      Pattern.compile("/api/resolve-cache/models/([^/]+/[^/]+)/([^/]+)/(.+)");
  private static final Pattern REVISION =
      Pattern.compile("/api/models/([^/]+/[^/]+)/revision/([^/]+)");
  private static final Pattern TREE =
      Pattern.compile("/api/models/([^/]+/[^/]+)/tree/([^/]+)(?:/(.*))?");
  private static final Pattern RANGE = Pattern.compile("bytes=(\\d+)-(\\d*)");

  private final Map<String, Repo> repos = new ConcurrentHashMap<>();
  private final Map<String, byte[]> objects = new ConcurrentHashMap<>(); // by SHA-256
  private final List<Request> requests = new CopyOnWriteArrayList<>();
  private final List<Fault> faults = new CopyOnWriteArrayList<>();
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final HttpServer hub;
  private final HttpServer cdn;

  /** Tokens that somebody has. */
  public final Set<String> accounts = ConcurrentHashMap.newKeySet();

  /** Files on a page of a list. */
  public volatile int pageSize = 1000;

  /** Whether the hosts of Hub and CDN have one name, and differ by their ports alone. */
  public volatile boolean sameHost;

  /** One request as it came. */
  public record Request(String host, String method, String path, String range, String token) {
    @Override
    public String toString() {
      return host + " " + method + " " + path + (range == null ? "" : " " + range);
    }
  }

  /** What goes wrong with the next requests of one kind. */
  private static final class Fault {
    final String part;
    int times;
    int status;
    Map<String, String> headers = Map.of();
    int cutAt = -1;
    byte[] instead;
    boolean ignoresRange;
    long millis;
    long stallMillis;

    Fault(String part, int times) {
      this.part = part;
      this.times = times;
    }
  }

  /** A model's repository. */
  public static final class Repo {
    private final String id;
    private final Map<String, String> branches = new ConcurrentHashMap<>();
    private final Map<String, Map<String, byte[]>> commits = new ConcurrentHashMap<>();

    /** Tokens that may read it; null for everybody. */
    public volatile Set<String> readers;

    /** Whether others see that it is there. */
    public volatile boolean gated;

    private Repo(String id) {
      this.id = id;
    }

    /** Moves a branch to a new commit of these files, and returns that. */
    public String commit(String branch, Map<String, byte[]> files) {
      String hash = sha1((id + branch + commits.size() + new TreeSet<>(files.keySet())).getBytes());
      commits.put(hash, new TreeMap<>(files));
      branches.put(branch, hash);
      return hash;
    }
  }

  /** All files of a folder by their paths in it. */
  public static Map<String, byte[]> files(Path folder) throws IOException {
    Map<String, byte[]> files = new TreeMap<>();
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path file : (Iterable<Path>) all.filter(Files::isRegularFile)::iterator) {
        files.put(folder.relativize(file).toString(), Files.readAllBytes(file));
      }
    }
    return files;
  }

  /** Makes this the Hub of this JVM, and an empty folder the cache, until {@link #close}. */
  public HubServer ofThisJvm(Path cache) {
    System.setProperty("HF_ENDPOINT", endpoint());
    System.setProperty("HF_HOME", cache.toString());
    return this;
  }

  /** Listens on ports of its own choice. */
  public HubServer() {
    try {
      InetAddress here = InetAddress.getByName("127.0.0.1");
      hub = HttpServer.create(new InetSocketAddress(here, 0), 0);
      cdn = HttpServer.create(new InetSocketAddress(here, 0), 0);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    start(hub, "hub");
    start(cdn, "cdn");
  }

  private void start(HttpServer server, String name) {
    server.createContext(
        "/",
        exchange -> {
          String token = exchange.getRequestHeaders().getFirst("Authorization");
          String path = exchange.getRequestURI().toString();
          String range = exchange.getRequestHeaders().getFirst("Range");
          requests.add(new Request(name, exchange.getRequestMethod(), path, range, token));
          try (exchange) {
            Fault fault = fault(exchange.getRequestMethod() + " " + name + path);
            sleep(fault == null ? 0 : fault.millis);
            if (fault != null && fault.status > 0) {
              send(exchange, fault.status, "{\"error\":\"as asked\"}".getBytes(), fault);
            } else if (name.equals("cdn")) {
              ofCdn(exchange, fault);
            } else {
              ofHub(exchange, fault);
            }
          }
        });
    server.setExecutor(threads);
    server.start();
  }

  /** What HF_ENDPOINT is to be. */
  public String endpoint() {
    return "http://127.0.0.1:" + hub.getAddress().getPort();
  }

  /** The repository, made when it is not there. */
  public Repo repo(String id) {
    return repos.computeIfAbsent(id, Repo::new);
  }

  public void remove(String id) {
    repos.remove(id);
  }

  /** All requests so far. */
  public List<Request> requests() {
    return List.copyOf(requests);
  }

  /** How many requests had this in {@code METHOD (hub|cdn)/path}. */
  public long count(String part) {
    return requests.stream().filter(r -> (r.method + " " + r.host + r.path).contains(part)).count();
  }

  public void forgetRequests() {
    requests.clear();
  }

  /** The next requests with this in {@code METHOD (hub|cdn)/path} get this answer. */
  public void fail(String part, int times, int status, Map<String, String> headers) {
    Fault fault = new Fault(part, times);
    fault.status = status;
    fault.headers = headers;
    faults.add(fault);
  }

  /** The connection breaks after so many bytes of the body. */
  public void cut(String part, int times, int bytes) {
    Fault fault = new Fault(part, times);
    fault.cutAt = bytes;
    faults.add(fault);
  }

  /** Both: it starts at the first byte each time, and breaks. */
  public void cutWithoutRange(String part, int times, int bytes) {
    Fault fault = new Fault(part, times);
    fault.ignoresRange = true;
    fault.cutAt = bytes;
    faults.add(fault);
  }

  /** Nothing more comes after so many bytes of the body, for a time; then the connection breaks. */
  public void stall(String part, int times, int bytes, long millis) {
    Fault fault = new Fault(part, times);
    fault.cutAt = bytes;
    fault.stallMillis = millis;
    faults.add(fault);
  }

  /** Answers have other headers. */
  public void change(String part, int times, Map<String, String> headers) {
    Fault fault = new Fault(part, times);
    fault.headers = headers;
    faults.add(fault);
  }

  /** Other bytes than the file's are sent. */
  public void swap(String part, int times, byte[] bytes) {
    Fault fault = new Fault(part, times);
    fault.instead = bytes;
    faults.add(fault);
  }

  /** The whole file is sent, whatever part is asked for, as some proxies do. */
  public void ignoreRange(String part, int times) {
    Fault fault = new Fault(part, times);
    fault.ignoresRange = true;
    faults.add(fault);
  }

  /** Answers come late. */
  public void delay(String part, int times, long millis) {
    Fault fault = new Fault(part, times);
    fault.millis = millis;
    faults.add(fault);
  }

  private synchronized Fault fault(String request) {
    for (Fault fault : faults) {
      if (fault.times > 0 && request.contains(fault.part)) {
        fault.times--;
        return fault;
      }
    }
    return null;
  }

  private void ofHub(HttpExchange exchange, Fault fault) throws IOException {
    String path = exchange.getRequestURI().getRawPath();
    Matcher resolve = RESOLVE.matcher(path);
    Matcher cached = CACHED.matcher(path);
    Matcher revision = REVISION.matcher(path);
    Matcher tree = TREE.matcher(path);
    Headers headers = exchange.getResponseHeaders();
    String token = token(exchange);
    if (token != null && !accounts.contains(token)) {
      headers.set("X-Error-Message", "Invalid credentials in Authorization header");
      send(exchange, 401, new byte[0], null);
    } else if (cached.matches()) {
      Repo repo = repos.get(cached.group(1));
      byte[] content = repo.commits.get(cached.group(2)).get(decoded(cached.group(3)));
      headers.set("X-Repo-Commit", cached.group(2));
      headers.set("ETag", '"' + blobId(content) + '"');
      send(exchange, 200, content, fault);
    } else if (resolve.matches()) {
      Repo repo = repo(exchange, resolve.group(1), token, true);
      if (repo != null) {
        resolve(exchange, repo, decoded(resolve.group(2)), decoded(resolve.group(3)), fault);
      }
    } else if (revision.matches()) {
      Repo repo = repo(exchange, revision.group(1), token, false);
      String commit = repo == null ? null : commit(exchange, repo, decoded(revision.group(2)));
      if (commit != null) {
        Map<String, Object> info = new LinkedHashMap<>();
        info.put("_id", "621ffdc036468d709f174338");
        info.put("id", repo.id);
        info.put("private", false);
        info.put("siblings", List.of(Map.of("rfilename", "config.json", "sha", "none")));
        info.put("sha", commit);
        send(exchange, 200, JSON.writeValueAsBytes(info), fault);
      }
    } else if (tree.matches()) {
      Repo repo = repo(exchange, tree.group(1), token, false);
      String commit = repo == null ? null : commit(exchange, repo, decoded(tree.group(2)));
      if (commit != null) {
        tree(exchange, repo.commits.get(commit), commit);
      }
    } else {
      send(exchange, 404, "no such page".getBytes(), null);
    }
  }

  /** Null where it is not there, or not for this token, which is then answered. */
  private Repo repo(HttpExchange exchange, String id, String token, boolean isFile)
      throws IOException {
    Repo repo = repos.get(id);
    boolean closed = repo != null && repo.readers != null;
    boolean mayRead = closed && token != null && repo.readers.contains(token);
    Headers headers = exchange.getResponseHeaders();
    if (repo != null && (!closed || mayRead || repo.gated && !isFile)) {
      return repo;
    }
    if (repo != null && repo.gated) {
      headers.set("X-Error-Code", "GatedRepo");
      headers.set("X-Error-Message", "Access to model " + id + " is restricted.");
      send(exchange, token == null ? 401 : 403, new byte[0], null);
    } else if (token == null) {
      headers.set("X-Error-Message", "Invalid username or password.");
      send(exchange, 401, new byte[0], null);
    } else {
      headers.set("X-Error-Code", "RepoNotFound");
      headers.set("X-Error-Message", "Repository not found");
      send(exchange, 404, new byte[0], null);
    }
    return null;
  }

  private static String commit(HttpExchange exchange, Repo repo, String revision)
      throws IOException {
    String commit = repo.commits.containsKey(revision) ? revision : repo.branches.get(revision);
    if (commit == null) {
      exchange.getResponseHeaders().set("X-Error-Code", "RevisionNotFound");
      exchange.getResponseHeaders().set("X-Error-Message", "Invalid rev id: " + revision);
      send(exchange, 404, new byte[0], null);
    }
    return commit;
  }

  private void resolve(HttpExchange exchange, Repo repo, String revision, String path, Fault fault)
      throws IOException {
    String commit = commit(exchange, repo, revision);
    if (commit == null) {
      return;
    }
    Headers headers = exchange.getResponseHeaders();
    headers.set("X-Repo-Commit", commit);
    byte[] content = repo.commits.get(commit).get(path);
    if (content == null) {
      headers.set("X-Error-Code", "EntryNotFound");
      headers.set("X-Error-Message", "Entry not found");
      send(exchange, 404, "Entry not found".getBytes(), null);
    } else if (isLfs(path)) {
      String sha256 = sha256(content);
      objects.put(sha256, content);
      headers.set("X-Linked-Size", "" + content.length);
      headers.set("X-Linked-Etag", '"' + sha256 + '"');
      String host = sameHost ? "127.0.0.1" : "localhost";
      headers.set(
          "Location",
          "http://"
              + host
              + ":"
              + cdn.getAddress().getPort()
              + "/"
              + sha256
              + "?X-Signature=S3cret");
      send(exchange, 302, "Found. Redirecting".getBytes(), fault);
    } else {
      headers.set("X-Linked-Size", "" + content.length);
      headers.set("X-Linked-Etag", '"' + blobId(content) + '"');
      String encoded = exchange.getRequestURI().getRawPath().replaceFirst(".*/resolve/[^/]+/", "");
      headers.set(
          "Location", "/api/resolve-cache/models/" + repo.id + "/" + commit + "/" + encoded);
      send(exchange, 307, "Temporary Redirect".getBytes(), null);
    }
  }

  private void tree(HttpExchange exchange, Map<String, byte[]> files, String commit)
      throws IOException {
    String query = exchange.getRequestURI().getRawQuery();
    List<Map<String, Object>> entries = new ArrayList<>();
    Set<String> folders = new TreeSet<>();
    files.forEach(
        (path, content) -> {
          for (int slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1)) {
            if (folders.add(path.substring(0, slash))) {
              String folder = path.substring(0, slash);
              String oid = sha1(("tree " + folder).getBytes());
              entries.add(Map.of("type", "directory", "oid", oid, "size", 0, "path", folder));
            }
          }
          Map<String, Object> entry = new LinkedHashMap<>();
          entry.put("type", "file");
          entry.put("oid", blobId(content));
          entry.put("size", content.length);
          if (isLfs(path)) {
            String sha256 = sha256(content);
            entry.put("lfs", Map.of("oid", sha256, "size", content.length, "pointerSize", 130));
          }
          entry.put("path", path);
          entries.add(entry);
        });
    Matcher cursor = Pattern.compile("cursor=(\\d+)").matcher(query);
    int start = cursor.find() ? Integer.parseInt(cursor.group(1)) : 0;
    int end = Math.min(entries.size(), start + pageSize);
    if (end < entries.size()) {
      String next =
          endpoint()
              + exchange.getRequestURI().getRawPath()
              + "?"
              + query.replaceFirst("&cursor=.*", "")
              + "&cursor="
              + end;
      exchange.getResponseHeaders().set("Link", "<" + next + ">; rel=\"next\"");
    }
    send(exchange, 200, JSON.writeValueAsBytes(entries.subList(start, end)), null);
  }

  /** As S3: who signs and brings a token is refused. */
  private void ofCdn(HttpExchange exchange, Fault fault) throws IOException {
    byte[] content = objects.get(exchange.getRequestURI().getPath().substring(1));
    boolean isSigned = "X-Signature=S3cret".equals(exchange.getRequestURI().getQuery());
    if (content == null || !isSigned || token(exchange) != null) {
      send(exchange, content == null ? 404 : 400, new byte[0], null);
    } else {
      exchange.getResponseHeaders().set("ETag", "\"8a6f-2\""); // S3 has its own
      send(exchange, 200, content, fault);
    }
  }

  private static void send(HttpExchange exchange, int status, byte[] content, Fault fault)
      throws IOException {
    if (fault != null) {
      fault.headers.forEach(exchange.getResponseHeaders()::set);
    }
    byte[] body = fault != null && fault.instead != null ? fault.instead : content;
    String asked = exchange.getRequestHeaders().getFirst("Range");
    Matcher range = RANGE.matcher(asked == null ? "" : asked);
    int code = status;
    if (status == 200 && range.matches() && !(fault != null && fault.ignoresRange)) {
      int first = Integer.parseInt(range.group(1));
      int all = body.length;
      if (first >= all) {
        exchange.getResponseHeaders().set("Content-Range", "bytes */" + all);
        code = 416;
        body = new byte[0];
      } else {
        int last =
            range.group(2).isEmpty() ? all : Math.min(all, Integer.parseInt(range.group(2)) + 1);
        body = Arrays.copyOfRange(body, first, last);
        code = 206;
        exchange
            .getResponseHeaders()
            .set("Content-Range", "bytes " + first + "-" + (last - 1) + "/" + all);
      }
    }
    if (exchange.getRequestMethod().equals("HEAD")) {
      exchange.getResponseHeaders().set("Content-Length", "" + body.length);
      exchange.sendResponseHeaders(code, -1);
      return;
    }
    exchange.sendResponseHeaders(code, body.length == 0 ? -1 : body.length);
    int cut = fault == null || fault.cutAt < 0 ? body.length : Math.min(body.length, fault.cutAt);
    exchange.getResponseBody().write(body, 0, cut);
    exchange.getResponseBody().flush();
    if (cut < body.length) {
      sleep(fault.stallMillis);
      throw new IOException("cut, as asked"); // the server then closes the connection
    }
  }

  private static void sleep(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private static String token(HttpExchange exchange) {
    String said = exchange.getRequestHeaders().getFirst("Authorization");
    return said == null ? null : said.replaceFirst("^Bearer ", "");
  }

  private static boolean isLfs(String path) {
    return path.endsWith(".safetensors") || path.endsWith(".bin");
  }

  private static String decoded(String text) {
    return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
  }

  /** Git's hash of a file. */
  static String blobId(byte[] content) {
    byte[] head = ("blob " + content.length + "\0").getBytes();
    byte[] all = Arrays.copyOf(head, head.length + content.length);
    System.arraycopy(content, 0, all, head.length, content.length);
    return sha1(all);
  }

  static String sha256(byte[] content) {
    MessageDigest digest = Sha256.digest();
    digest.update(content);
    return Sha256.hex(digest);
  }

  private static String sha1(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-1").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    System.clearProperty("HF_ENDPOINT");
    System.clearProperty("HF_HOME");
    hub.stop(0);
    cdn.stop(0);
    threads.shutdownNow();
  }

  /** Serves {@link #example} until its input ends; prints HF_ENDPOINT. For hub.py. */
  public static void main(String[] args) throws IOException {
    try (HubServer server = new HubServer()) {
      server.example();
      System.out.println(server.endpoint());
      while (System.in.read() >= 0) {
        // wait
      }
    }
  }

  /**
   * Puts in the repository that the fixture {@code hub/cache.txt} was made of; its first commit.
   */
  public String example() {
    Repo repo = repo("org/name");
    Map<String, byte[]> files = new TreeMap<>();
    files.put("config.json", "{\"model_type\": \"bert\"}".getBytes());
    files.put("README.md", "# ä name\n".getBytes(StandardCharsets.UTF_8));
    files.put("model.safetensors", Safetensors.data(300_000));
    files.put("same.json", "{\"model_type\": \"bert\"}".getBytes());
    files.put("1_Pooling/config.json", "{}".getBytes());
    files.put("a folder/with # and %41.txt", "odd".getBytes());
    files.put("empty.txt", new byte[0]);
    String first = repo.commit("main", files);
    repo.commit("feature/x", Map.of("config.json", "{}".getBytes()));
    repo.commit("refs/pr/1", Map.of("config.json", "{\"a\": 1}".getBytes()));
    return first;
  }
}
