package dev.medley.io;

import java.net.http.HttpResponse;

/** Answers of the Hub that will stay as they are, in words: what is wrong, and what to do. */
final class HubRefusal {
  private HubRefusal() {}

  /** Whether the commit has no such file, which for many files is no mistake. */
  static boolean isNoEntry(HttpResponse<?> answer) {
    return HubClient.header(answer, "X-Error-Code").equals("EntryNotFound");
  }

  /** Throws LoadException where the answer is one. */
  static void check(HubPath at, HttpResponse<?> answer, HubHttp http) {
    int status = answer.statusCode();
    if (status / 100 == 2 || status / 100 == 3) {
      return;
    }
    String code = HubClient.header(answer, "X-Error-Code");
    if (status == 404 && code.isEmpty()) {
      throw noHub(at, "expected an answer with X-Error-Code, found 404", http);
    }
    String message = HubClient.header(answer, "X-Error-Message");
    String shown = http.withoutToken(Shown.plain(message));
    throw new LoadException(at.root().toString(), problem(at, status, code, shown, http));
  }

  private static String problem(HubPath at, int status, String code, String message, HubHttp http) {
    String page = http.endpoint() + "/" + at.repo();
    if (code.equals("GatedRepo")) {
      return http.hasToken()
          ? "is gated, and the account of the token may not read it; ask for access at " + page
          : "is gated; accept its licence at " + page + " and set HF_TOKEN to a token of yours";
    }
    if (code.equals("RevisionNotFound")) {
      return "expected the revision "
          + at.revisionOrMain()
          + ", found none of that name; "
          + page
          + "/refs lists branches and tags";
    }
    if (code.equals("EntryNotFound")) {
      return "expected a file, found none";
    }
    if (status == 401 && message.startsWith("Invalid credentials")) {
      return "the Hub does not know the token; set HF_TOKEN to a token of yours";
    }
    if (code.equals("RepoNotFound") || status == 401) {
      return "expected a model, found none that "
          + (http.hasToken() ? "the account of the token" : "everybody")
          + " may read; correct the name, or set HF_TOKEN to a token that may read it"
          + " (spark.executorEnv.HF_TOKEN for executors)";
    }
    String said = "the Hub answered " + status + (message.isEmpty() ? "" : ": " + message);
    return status == 403 ? said + "; see what the token may do" : said;
  }

  /** What answers is something else. */
  static LoadException noHub(HubPath at, String problem, HubHttp http) {
    return new LoadException(
        at.toString(),
        http.withoutToken(problem)
            + "; "
            + http.endpoint()
            + " does not answer as a Hub: see HF_ENDPOINT and the proxy");
  }
}
