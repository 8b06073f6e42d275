package dev.medley.engine;

import ai.djl.engine.EngineException;
import dev.medley.io.LoadException;

/**
 * An adapter or a set that a device has no memory for, whatever is wrong or right with its files.
 */
final class DeviceMemoryException extends LoadException {
  private static final long serialVersionUID = 1L;

  DeviceMemoryException(AdapterRef ref, String device, EngineException cause) {
    super(
        ref.toString(),
        "the device "
            + device
            + " has no memory for it, with no other adapter on it but those in use; make room on the"
            + " device, or have fewer tasks at a time on it",
        cause);
  }
}
