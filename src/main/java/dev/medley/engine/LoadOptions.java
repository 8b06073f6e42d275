package dev.medley.engine;

import ai.djl.Device;
import dev.medley.io.Location;
import dev.medley.tensor.Precision;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The options of PEFT's {@code load_adapter}, each by its name there. What cannot be done is
 * refused when the adapter is loaded.
 *
 * @param subfolder of the adapter's folder that holds its files; null for none
 * @param revision of an adapter on the Hub ({@code hf://org/name}); null for the location's own
 * @param torchDevice the base's, as torch writes it ({@code cpu}, {@code cuda:0}), which is where
 *     adapters lie; null for the same
 * @param isTrainable refused: there is no training here
 * @param autocastAdapterDtype whether a half-precision adapter is computed in float32; null for the
 *     dtype of the run. True holds where the run is float32, false wherever the adapter runs in the
 *     base's precision, which is always
 * @param ephemeralGpuOffload refused: nothing is offloaded here
 * @param lowCpuMemUsage has no effect: a file is always mapped, and copied once, to its device
 * @param labels of the adapter's own head by id, which PEFT does not know of; empty for those of a
 *     {@code config.json} beside the adapter
 */
public record LoadOptions(
    String subfolder,
    String revision,
    String torchDevice,
    boolean isTrainable,
    Boolean autocastAdapterDtype,
    boolean ephemeralGpuOffload,
    boolean lowCpuMemUsage,
    List<String> labels) {

  /** Throws IllegalArgumentException where a label is null. */
  public LoadOptions {
    PeftModel.given(labels, "labels").forEach(label -> PeftModel.given(label, "labels"));
    labels = List.copyOf(labels);
  }

  /** PEFT's defaults. */
  public static final LoadOptions DEFAULT =
      new LoadOptions(null, null, null, false, null, false, false, List.of());

  /** The same in a folder of the folder. */
  public LoadOptions subfolder(String folder) {
    return new LoadOptions(
        folder,
        revision,
        torchDevice,
        isTrainable,
        autocastAdapterDtype,
        ephemeralGpuOffload,
        lowCpuMemUsage,
        labels);
  }

  /** The same at a branch, tag or commit. */
  public LoadOptions revision(String name) {
    return new LoadOptions(
        subfolder,
        name,
        torchDevice,
        isTrainable,
        autocastAdapterDtype,
        ephemeralGpuOffload,
        lowCpuMemUsage,
        labels);
  }

  /** The same on a device, which must be the base's. */
  public LoadOptions torchDevice(String device) {
    return new LoadOptions(
        subfolder,
        revision,
        device,
        isTrainable,
        autocastAdapterDtype,
        ephemeralGpuOffload,
        lowCpuMemUsage,
        labels);
  }

  /** The same, to be trained or not. */
  public LoadOptions isTrainable(boolean trainable) {
    return new LoadOptions(
        subfolder,
        revision,
        torchDevice,
        trainable,
        autocastAdapterDtype,
        ephemeralGpuOffload,
        lowCpuMemUsage,
        labels);
  }

  /** The same, in float32 whatever the base runs in or not. */
  public LoadOptions autocastAdapterDtype(boolean autocast) {
    return new LoadOptions(
        subfolder,
        revision,
        torchDevice,
        isTrainable,
        autocast,
        ephemeralGpuOffload,
        lowCpuMemUsage,
        labels);
  }

  /** The same, with offloading or not. */
  public LoadOptions ephemeralGpuOffload(boolean offload) {
    return new LoadOptions(
        subfolder,
        revision,
        torchDevice,
        isTrainable,
        autocastAdapterDtype,
        offload,
        lowCpuMemUsage,
        labels);
  }

  /** The same, with little memory or not. */
  public LoadOptions lowCpuMemUsage(boolean low) {
    return new LoadOptions(
        subfolder,
        revision,
        torchDevice,
        isTrainable,
        autocastAdapterDtype,
        ephemeralGpuOffload,
        low,
        labels);
  }

  /** The same with a head of these labels. */
  public LoadOptions labels(String... names) {
    return new LoadOptions(
        subfolder,
        revision,
        torchDevice,
        isTrainable,
        autocastAdapterDtype,
        ephemeralGpuOffload,
        lowCpuMemUsage,
        Arrays.asList(PeftModel.given(names, "labels")));
  }

  /** Where the adapter is; IllegalArgumentException with every option that cannot be honoured. */
  AdapterSource source(String path, Device device, Precision dtype) {
    List<String> problems = new ArrayList<>();
    if (isTrainable) {
      problems.add("is_trainable: Medley scores and does not train; train with PEFT, leave it out");
    }
    if (torchDevice != null
        && !torchDevice
            .replaceAll("^cuda$", "cuda:0")
            .replaceAll("^cpu:0$", "cpu")
            .equals(Devices.name(device))) {
      problems.add(
          "torch_device: expected "
              + Devices.name(device)
              + ", the device of the base, since an adapter lies where its base does, got "
              + torchDevice);
    }
    if (Boolean.TRUE.equals(autocastAdapterDtype) && dtype != Precision.FLOAT32) {
      problems.add(
          "autocast_adapter_dtype: an adapter runs in the precision of its base, here "
              + dtype
              + ", and not in float32 beside it; load the base with float32, or leave it out");
    }
    if (ephemeralGpuOffload) {
      problems.add(
          "ephemeral_gpu_offload: nothing is offloaded here: base and adapters lie on one device,"
              + " and DoRA's norms are taken there once; leave it out");
    }
    Location location = Location.of(PeftModel.given(path, "path"));
    if (revision != null && !location.isOnHub()) {
      problems.add(
          "revision: only an adapter on the Hub (hf://org/name) has revisions, and "
              + location
              + " is a folder; give the folder of that revision");
    } else if (revision != null && location.revision().isPresent()) {
      problems.add("revision: " + location + " names one already; give one of the two");
    } else if (revision != null) {
      location = location.atRevision(revision);
    }
    Location folder = location;
    try {
      String below = subfolder == null ? "" : subfolder.replaceFirst("(?<=[^/])/+$", "");
      folder = below.isEmpty() ? location : location.resolve(below);
    } catch (IllegalArgumentException e) {
      problems.add("subfolder: " + e.getMessage());
    }
    if (!problems.isEmpty()) {
      throw new IllegalArgumentException(String.join("\n", problems));
    }
    return AdapterSource.of(folder.uri(), labels);
  }
}
