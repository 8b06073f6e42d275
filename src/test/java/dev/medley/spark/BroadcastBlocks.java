package dev.medley.spark;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerBlockUpdated;
import org.apache.spark.storage.BlockUpdatedInfo;
import org.apache.spark.storage.BroadcastBlockId;

/** Who has put which broadcast into its memory, as Spark tells the driver. */
final class BroadcastBlocks extends SparkListener {
  private final SparkContext context;
  private final List<Block> blocks = new ArrayList<>();

  /** A piece of a broadcast that came to an executor, or to the driver. */
  record Block(String executor, long broadcast, String piece) {}

  private BroadcastBlocks(SparkContext context) {
    this.context = context;
  }

  /** Of a context from now on. */
  static BroadcastBlocks of(SparkContext context) {
    BroadcastBlocks listener = new BroadcastBlocks(context);
    context.addSparkListener(listener);
    return listener;
  }

  @Override
  public synchronized void onBlockUpdated(SparkListenerBlockUpdated update) {
    BlockUpdatedInfo info = update.blockUpdatedInfo();
    if (info.blockId() instanceof BroadcastBlockId id
        && id.field().startsWith("piece")
        && info.storageLevel().isValid()) {
      blocks.add(new Block(info.blockManagerId().executorId(), id.broadcastId(), id.field()));
    }
  }

  /** All so far, in the order they came in. */
  List<Block> seen() throws Exception {
    context.listenerBus().waitUntilEmpty();
    synchronized (this) {
      return List.copyOf(blocks);
    }
  }
}
