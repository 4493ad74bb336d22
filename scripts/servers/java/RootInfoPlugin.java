// A small Elasticsearch 8 module. The 8.x distribution on Maven Central has no rest-root module, so the
// node has no main page, and no analysis-common, so the index that holds API keys cannot be made. This
// answers GET / and HEAD /, and gives the four analysis names that index uses by Lucene's own filters.
// Its GET / asks only who the caller is, not for the privilege that Elastic's own asks for: a test that
// is about that privilege must not rely on this node.
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.apache.lucene.analysis.LowerCaseFilter;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.email.UAX29URLEmailTokenizer;
import org.apache.lucene.analysis.miscellaneous.RemoveDuplicatesTokenFilter;
import org.apache.lucene.analysis.pattern.PatternCaptureGroupTokenFilter;
import org.elasticsearch.Build;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.io.stream.NamedWriteableRegistry;
import org.elasticsearch.common.settings.ClusterSettings;
import org.elasticsearch.common.settings.IndexScopedSettings;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.settings.SettingsFilter;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.index.IndexVersion;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestController;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.xcontent.XContentBuilder;

public class RootInfoPlugin extends Plugin implements ActionPlugin, AnalysisPlugin {
    private volatile ClusterService cluster;

    @Override
    public Collection<?> createComponents(PluginServices services) {
        cluster = services.clusterService();
        return List.of();
    }

    @Override
    public Collection<RestHandler> getRestHandlers(Settings s, NamedWriteableRegistry w, RestController c, ClusterSettings cs,
            IndexScopedSettings is, SettingsFilter f, IndexNameExpressionResolver r, Supplier<DiscoveryNodes> n,
            Predicate<NodeFeature> p) {
        return List.of(new Handler());
    }

    private static TokenFilterFactory filter(String name, UnaryOperator<TokenStream> f) {
        return new TokenFilterFactory() {
            @Override
            public String name() {
                return name;
            }

            @Override
            public TokenStream create(TokenStream in) {
                return f.apply(in);
            }
        };
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Map.of(
            "lowercase", (ix, env, name, set) -> filter(name, LowerCaseFilter::new),
            "unique", (ix, env, name, set) -> filter(name, RemoveDuplicatesTokenFilter::new),
            "pattern_capture", AnalysisPlugin.requiresAnalysisSettings((ix, env, name, set) -> {
                Pattern[] ps = set.getAsList("patterns").stream().map(Pattern::compile).toArray(Pattern[]::new);
                boolean keep = set.getAsBoolean("preserve_original", true);
                return filter(name, in -> new PatternCaptureGroupTokenFilter(in, keep, ps));
            }));
    }

    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
        return Map.of("uax_url_email", (ix, env, name, set) -> TokenizerFactory.newFactory(name, UAX29URLEmailTokenizer::new));
    }

    private final class Handler extends BaseRestHandler {
        @Override
        public String getName() {
            return "root_info_action";
        }

        @Override
        public List<Route> routes() {
            return List.of(new Route(RestRequest.Method.GET, "/"), new Route(RestRequest.Method.HEAD, "/"));
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            return channel -> {
                Build b = Build.current();
                XContentBuilder x = channel.newBuilder().prettyPrint().startObject();
                x.field("name", cluster.getNodeName());
                x.field("cluster_name", cluster.getClusterName().value());
                x.field("cluster_uuid", cluster.state().metadata().clusterUUID());
                x.startObject("version").field("number", b.version()).field("build_flavor", b.flavor());
                x.field("build_type", b.type().displayName()).field("build_hash", b.hash()).field("build_date", b.date());
                x.field("build_snapshot", b.isSnapshot());
                x.field("lucene_version", IndexVersion.current().luceneVersion().toString());
                x.field("minimum_wire_compatibility_version", b.minWireCompatVersion());
                x.field("minimum_index_compatibility_version", "7.0.0").endObject();
                x.field("tagline", "You Know, for Search").endObject();
                channel.sendResponse(new RestResponse(RestStatus.OK, x));
            };
        }
    }
}
