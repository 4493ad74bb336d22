import java.nio.file.Path;
import org.codelibs.opensearch.runner.OpenSearchRunner;

/** RunNode PORT DATADIR: one OpenSearch 2 node inside this process, on 127.0.0.1, until SIGTERM. */
public class RunNode {
    public static void main(String[] args) throws Exception {
        int port = Integer.parseInt(args[0]);
        OpenSearchRunner runner = new OpenSearchRunner();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                runner.close();
            } catch (Exception e) {
                e.printStackTrace();
            }
        }));
        runner.onBuild((n, settings) -> {
            settings.put("network.host", "127.0.0.1").put("http.port", port).put("transport.port", "0");
            settings.put("cluster.routing.allocation.disk.threshold_enabled", false);
        });
        runner.setMaxHttpPort(-1); // or it refuses ports above 9299
        // The runner adds the number of the node, 1, to the base port.
        runner.build(OpenSearchRunner.newConfigs().basePath(Path.of(args[1]).toString())
            .clusterName("tocsin-" + port).numOfNode(1).baseHttpPort(port - 1));
        Thread.currentThread().join();
    }
}
