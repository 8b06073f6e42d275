package dev.medley.io;

import java.io.IOException;
import java.net.ConnectException;
import java.net.http.HttpConnectTimeoutException;

/** The Hub gave no answer, however often it was asked; the cache may have one. */
final class HubUnreachable extends IOException {
  private static final long serialVersionUID = 1L;

  HubUnreachable(String message, IOException cause) {
    super(message, cause);
  }

  /** Whether nobody was there at all, so that who asks for something else has no answer either. */
  boolean isOfEveryFile() {
    return getCause() instanceof ConnectException
        || getCause() instanceof HttpConnectTimeoutException;
  }
}
