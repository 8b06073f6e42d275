package dev.medley.io;

import java.nio.file.Path;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hdfs.MiniDFSCluster;

/** A real HDFS of one name node and one data node, in this JVM. */
public final class HdfsServer implements RemoteStore {
  private final MiniDFSCluster cluster;

  /** Starts it; {@code folder} is for its blocks. */
  public HdfsServer(Path folder) throws Exception {
    Configuration conf = new Configuration();
    conf.set(MiniDFSCluster.HDFS_MINIDFS_BASEDIR, folder.toString());
    cluster = new MiniDFSCluster.Builder(conf).numDataNodes(1).format(true).build();
    cluster.waitActive();
  }

  @Override
  public String uri() {
    return cluster.getURI().toString();
  }

  @Override
  public Map<String, String> settings() {
    return Map.of();
  }

  @Override
  public void close() {
    cluster.shutdown(true);
  }
}
