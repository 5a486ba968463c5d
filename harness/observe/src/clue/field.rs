//! Last lines of programs, most of them reported from clusters, beyond those in `tests`: SDKs of clouds in each language,
//! drivers of databases, and what else was silent, or spoke wrongly, when it was tried.

/// Row, line, what it says.
pub(super) const EXAMPLES: &[(&str, &str, &str)] = &[
    // The API server, to clients in Rust and JavaScript.
    (
        "api 401",
        r#"Error: ApiError: Unauthorized: Unauthorized (ErrorResponse { status: "Failure", message: "Unauthorized", reason: "Unauthorized", code: 401 })"#,
        "api-unauthorized",
    ),
    ("api 401", r#"Error: HTTP-Code: 401 Message: Unauthorized Body: x"#, "api-unauthorized"),
    ("expired certificate", r#"invalid peer certificate: Expired"#, "tls Expired"),
    // AWS.
    (
        "AWS denies",
        r#"Exception in thread "main" software.amazon.awssdk.services.s3.model.S3Exception: Access Denied (Service: S3, Status Code: 403, Request ID: 1)"#,
        "cloud-denied",
    ),
    (
        "AWS denies",
        r#"com.amazonaws.services.s3.model.AmazonS3Exception: Forbidden (Service: Amazon S3; Status Code: 403; Error Code: AccessDenied; Request ID: 1)"#,
        "cloud-denied",
    ),
    (
        "AWS denies",
        r#"botocore.exceptions.ClientError: An error occurred (403) when calling the HeadObject operation: Forbidden"#,
        "cloud-denied",
    ),
    (
        "AWS denies",
        r#"Amazon.S3.AmazonS3Exception: Access Denied ---> The remote server returned an error: (403) Forbidden."#,
        "cloud-denied",
    ),
    (
        "AWS denies",
        r#"ServiceError(ServiceError { source: Unhandled(Unhandled { code: Some("AccessDenied"), message: Some("Access Denied") }) })"#,
        "cloud-denied",
    ),
    ("AWS denies", r#"Access Denied (Aws::S3::Errors::AccessDenied)"#, "cloud-denied"),
    (
        "AWS denies",
        r#"resulted in a `403 Forbidden` response AccessDenied (client): Access Denied"#,
        "cloud-denied",
    ),
    ("AWS denies", r#"AccessDenied: Access Denied at throwDefaultError"#, "cloud-denied"),
    (
        "AWS token",
        r#"DispatchFailure(DispatchFailure { source: CredentialsNotLoaded(CredentialsNotLoaded { source: Some("no providers in chain") }) })"#,
        "cloud-token",
    ),
    (
        "AWS token",
        r#"Aws::Errors::MissingCredentialsError: unable to sign request without credentials set"#,
        "cloud-token",
    ),
    (
        "AWS token",
        r#"Amazon.Runtime.AmazonServiceException: Unable to get IAM security credentials from EC2 Instance Metadata Service."#,
        "cloud-token",
    ),
    // Azure.
    (
        "Azure denies",
        r#"Azure.RequestFailedException: Status: 403 (This request is not authorized to perform this operation.) ErrorCode: AuthorizationFailure"#,
        "cloud-denied",
    ),
    (
        "Azure denies",
        r#"Azure.RequestFailedException: Caller is not authorized to perform action on resource. Status: 403 (Forbidden)"#,
        "cloud-denied",
    ),
    (
        "Azure denies",
        r#"The user, group or application 'appid=a' does not have secrets get permission on key vault 'kv;location=westeurope'."#,
        "cloud-denied",
    ),
    (
        "Azure denies",
        r#"Microsoft.Azure.Cosmos.CosmosException : Response status code does not indicate success: Forbidden (403); Substatus: 5301"#,
        "cloud-denied",
    ),
    (
        "cloud throttles",
        r#"Azure.RequestFailedException: Service request failed. Status: 429 (Too Many Requests) ErrorCode: TooManyRequests"#,
        "cloud-throttled",
    ),
    // Google.
    (
        "Google denies",
        r#"google.api_core.exceptions.PermissionDenied: 403 The caller does not have permission"#,
        "cloud-denied",
    ),
    ("Google denies", r#"Unable to generate access token; IAM returned 403 Forbidden"#, "cloud-denied"),
    (
        "cloud throttles",
        r#"google.api_core.exceptions.ResourceExhausted: 429 Quota exceeded for quota metric 'Read requests'"#,
        "cloud-throttled",
    ),
    (
        "Azure and Google token",
        r#"java.io.IOException: Your default credentials were not found."#,
        "cloud-token",
    ),
    ("Azure and Google token", r#"Error: Could not load the default credentials."#, "cloud-token"),
    (
        "Azure and Google token",
        r#"google.auth.exceptions.RefreshError: ("Failed to retrieve http://metadata.google.internal/x/token from the Google Compute Engine metadata service. Status: 404 Response: b'Unable to fetch token'")"#,
        "cloud-token",
    ),
    // Passwords.
    (
        "other servers' password",
        r#"pymongo.errors.OperationFailure: Authentication failed., full error: {'ok': 0.0, 'code': 18}"#,
        "password-rejected",
    ),
    (
        "other servers' password",
        r#"cassandra.AuthenticationFailed: Error from server: code=0100 [Bad credentials] message="no""#,
        "password-rejected",
    ),
    ("other servers' password", r#"nats: Authorization Violation"#, "password-rejected"),
    (
        "other servers' password",
        r#"Code: 516. DB::Exception: default: Authentication failed: password is incorrect"#,
        "password-rejected",
    ),
    // Names.
    (
        "MySQL name",
        r#"ActiveRecord::ConnectionNotEstablished: Unknown server host 'db' (-2)"#,
        "name-unresolved db",
    ),
    (
        "PHP name",
        r#"SQLSTATE[HY000] [2002] php_network_getaddresses: getaddrinfo for mysql.shop.svc failed: Name does not resolve"#,
        "name-unresolved mysql.shop.svc",
    ),
    (
        "PHP name",
        r#"SQLSTATE[HY000] [2002] php_network_getaddresses: getaddrinfo failed: Try again"#,
        "name-unresolved",
    ),
    (
        "Ruby name",
        r#"SocketError: Failed to open TCP connection to api:8080 (getaddrinfo: Name or service not known)"#,
        "name-unresolved api:8080",
    ),
    (
        "redis-rb name",
        r#"Redis::CannotConnectError: Error connecting to Redis on redis:6379 (SocketError)"#,
        "name-unresolved redis:6379",
    ),
    (
        "pymongo name",
        r#"pymongo.errors.ServerSelectionTimeoutError: mongo:27017: [Errno -2] Name or service not known"#,
        "name-unresolved mongo:27017",
    ),
    (
        "aiohttp name",
        r#"aiohttp.client_exceptions.ClientConnectorError: Cannot connect to host api:8080 ssl:default [Name or service not known]"#,
        "name-unresolved api:8080",
    ),
    (
        "Elixir name",
        r#"** (DBConnection.ConnectionError) tcp connect (db:5432): non-existing domain - :nxdomain"#,
        "name-unresolved db:5432",
    ),
    (
        "HAProxy name",
        r#"[ALERT] (1) : config : 'server web/web1' : could not resolve address 'web.shop.svc'."#,
        "name-unresolved web.shop.svc",
    ),
    (
        "libc name",
        r#"rpc error: code = Unavailable desc = name resolver error: produced zero addresses"#,
        "name-unresolved",
    ),
    // Nobody listens, or nobody answers.
    (
        "Ruby refused",
        r#"Errno::ECONNREFUSED: Failed to open TCP connection to api:8080 (Connection refused - connect(2) for "api" port 8080)"#,
        "connection-refused api:8080",
    ),
    (
        "redis-rb refused",
        r#"Redis::CannotConnectError: Error connecting to Redis on redis:6379 (Errno::ECONNREFUSED)"#,
        "connection-refused redis:6379",
    ),
    (
        "pymongo refused",
        r#"pymongo.errors.ServerSelectionTimeoutError: mongo:27017: [Errno 111] Connection refused"#,
        "connection-refused mongo:27017",
    ),
    (
        "mongo refused",
        r#"couldn't connect to server 10.244.4.11:27017: Error connecting to 10.244.4.11:27017 :: caused by :: Connection refused"#,
        "connection-refused 10.244.4.11:27017",
    ),
    (
        "aiohttp refused",
        r#"ClientConnectorError: Cannot connect to host api:8080 ssl:default [Connect call failed ('10.96.3.3', 8080)]"#,
        "connection-refused api:8080",
    ),
    (
        "gRPC refused",
        r#"last error: UNKNOWN: ipv4:10.96.5.5:50051: Failed to connect to remote host: Connection refused"#,
        "connection-refused 10.96.5.5:50051",
    ),
    (
        "Elixir refused",
        r#"** (DBConnection.ConnectionError) tcp connect (db:5432): connection refused - :econnrefused"#,
        "connection-refused db:5432",
    ),
    (
        "MySQL no answer",
        r#"ERROR 2003 (HY000): Can't connect to MySQL server on 'db:3306' (110)"#,
        "connection-timed-out db:3306",
    ),
    (
        "pymongo no answer",
        r#"pymongo.errors.ServerSelectionTimeoutError: mongo:27017: timed out (configured timeouts: connectTimeoutMS: 20000.0ms)"#,
        "connection-timed-out mongo:27017",
    ),
    (
        "tedious no answer",
        r#"ConnectionError: Failed to connect to sql:1433 in 15000ms"#,
        "connection-timed-out sql:1433",
    ),
    (
        "reset",
        r#"server closed the connection unexpectedly This probably means the server terminated abnormally"#,
        "connection-reset",
    ),
    ("reset", r#"Error: socket hang up"#, "connection-reset"),
    // Disks, files, memory.
    (
        "ENOSPC",
        r#"BOOT FAILED {error,{could_not_write_file,"/var/lib/rabbitmq/x.config",enospc}}"#,
        "no-space",
    ),
    (
        "ENOSPC",
        r#"[ERROR] [MY-012592] [InnoDB] Operating system error number 28 in a file operation."#,
        "no-space",
    ),
    (
        "EIO",
        r#"[ERROR] [MY-012592] [InnoDB] Operating system error number 5 in a file operation."#,
        "disk-error",
    ),
    ("EIO", r#"sqlite3.OperationalError: disk I/O error"#, "disk-error"),
    (
        "EROFS",
        r#"[ERROR] [MY-012592] [InnoDB] Operating system error number 30 in a file operation."#,
        "read-only-file-system",
    ),
    (
        "inotify",
        r#"Error: ENOSPC: System limit for number of file watchers reached, watch '/app'"#,
        "too-many-files",
    ),
    (
        "inotify",
        r#"System.IO.IOException: The configured user limit (128) on the number of inotify instances has been reached"#,
        "too-many-files",
    ),
    (
        "EACCES",
        r#"Likely root cause: java.nio.file.AccessDeniedException: /usr/share/elasticsearch/data/nodes"#,
        "file-permission",
    ),
    (
        "EACCES",
        r#"java.lang.IllegalStateException: failed to obtain node locks: java.nio.file.AccessDeniedException: data/nodes"#,
        "file-permission",
    ),
    (
        "EACCES",
        r#"[ALERT] (295) : Binding for frontend http: cannot bind socket (Permission denied) for [0.0.0.0:80]"#,
        "file-permission",
    ),
    ("EACCES", r#"FATAL: data directory "/var/lib/postgresql/data" has wrong ownership"#, "file-permission"),
    (
        "EACCES",
        r#"mysqld: Can't create/write to file '/var/lib/mysql/is_writable' (OS errno 13 - Permission denied)"#,
        "file-permission",
    ),
    (
        "PHP memory",
        r#"PHP Fatal error: Allowed memory size of 134217728 bytes exhausted (tried to allocate 20480 bytes)"#,
        "runtime-out-of-memory",
    ),
    ("Ruby memory", r#"[FATAL] failed to allocate memory (NoMemoryError)"#, "runtime-out-of-memory"),
    (
        "JVM memory",
        r#"There is insufficient memory for the Java Runtime Environment to continue."#,
        "runtime-out-of-memory",
    ),
    // The program and its settings.
    ("no such program", r#"Error: Unable to access jarfile /app/app.jar"#, "command-not-found"),
    ("no such program", r#"Error: Could not find or load main class com.acme.App"#, "command-not-found"),
    (
        "no such program",
        r#"/app/server: /lib/libc.so.6: version `GLIBC_2.34' not found (required by /app/server)"#,
        "command-not-found",
    ),
    (
        "missing setting",
        r#"database_url Field required [type=missing, input_value={}, input_type=dict]"#,
        "setting-missing",
    ),
    (
        "missing setting",
        r#"ArgumentError: Missing `secret_key_base` for 'production' environment"#,
        "setting-missing",
    ),
    ("malformed setting", r#"*** FATAL CONFIG FILE ERROR (Redis 7.0.5) ***"#, "setting-malformed"),
    (
        "malformed setting",
        r#"FATAL: configuration file "/etc/postgresql/postgresql.conf" contains errors"#,
        "setting-malformed",
    ),
    (
        "malformed setting",
        r#"[ERROR] [MY-000067] [Server] unknown variable 'query_cache_size=0'."#,
        "setting-malformed",
    ),
    (
        "malformed setting",
        r#"error initializing configuration '/etc/envoy/envoy.yaml': Unable to parse JSON as proto (INVALID_ARGUMENT: no)"#,
        "setting-malformed",
    ),
    ("stack trace", r#"PHP Fatal error:  Uncaught TypeError: foo(): no"#, "stack-trace"),
    // Drivers of databases and brokers, runtimes and shells that said nothing when they were tried. Most of these lines were
    // written from knowledge of the libraries, and not taken from runs.
    (
        "expired certificate",
        r#"E0331 16:21:40.837951 1 reflector.go:205] Failed to list *v1.Service: Get https://10.233.0.1:443/api/v1/services?limit=500: x509: certificate has expired or is not yet valid"#,
        "tls Expired 10.233.0.1:443",
    ),
    (
        "expired certificate",
        r#"javax.net.ssl.SSLHandshakeException: Received fatal alert: certificate_expired"#,
        "tls Expired",
    ),
    (
        "certificate for another name",
        r#"x509: certificate relies on legacy Common Name field, use SANs instead"#,
        "tls WrongName",
    ),
    (
        "unknown authority",
        r#"Get "https://vault.ops.svc:8200/v1/sys/health": tls: failed to verify certificate: x509: certificate signed by unknown authority"#,
        "tls UnknownAuthority vault.ops.svc:8200",
    ),
    ("unknown authority", r#"remote error: tls: bad certificate"#, "tls UnknownAuthority"),
    (
        "unknown authority",
        r#"rpc error: code = Unavailable desc = connection error: desc = "error reading server preface: remote error: tls: unknown certificate authority""#,
        "tls UnknownAuthority",
    ),
    ("unknown authority", r#"Error: unable to verify the first certificate"#, "tls UnknownAuthority"),
    ("no TLS", r#"javax.net.ssl.SSLHandshakeException: Received fatal alert: protocol_version"#, "tls NoTls"),
    (
        "Azure and Google token",
        r#"com.google.cloud.storage.StorageException: Unexpected Error code 500 trying to get security access token from Compute Engine metadata for the default service account: GKE Metadata Server: Internal Server Error"#,
        "cloud-token",
    ),
    (
        "Azure and Google token",
        r#"EnvironmentCredential: Incomplete environment configuration.. ImdsCredential: Unexpected response '{'error': 'invalid_request'}'"#,
        "cloud-token",
    ),
    (
        "Azure and Google token",
        r#"Microsoft.Azure.Services.AppAuthentication.AzureServiceTokenProviderException: Parameters: Connection String: [No connection string specified]"#,
        "cloud-token",
    ),
    (
        "Postgres password",
        r#"org.postgresql.util.PSQLException: FATAL: PAM authentication failed for user "svc@p.iam""#,
        "password-rejected",
    ),
    (
        "other servers' password",
        r#"Error: P1000: Authentication failed against database server at `db`, the provided database credentials for `app` are not valid."#,
        "password-rejected",
    ),
    (
        "other servers' password",
        r#"KafkaJSSASLAuthenticationError: SASL PLAIN authentication failed: Invalid credentials"#,
        "password-rejected",
    ),
    (
        "other servers' password",
        r#"Exception (403) Reason: "username or password not allowed""#,
        "password-rejected",
    ),
    (
        "other servers' password",
        r#"org.elasticsearch.client.ResponseException: method [GET], host [http://es:9200], URI [/], status line [HTTP/1.1 401 Unauthorized]"#,
        "password-rejected",
    ),
    (
        "urllib3 name",
        r#"kafka:9092/bootstrap: Failed to resolve 'kafka:9092': Name or service not known (after 5ms in state CONNECT)"#,
        "name-unresolved kafka:9092",
    ),
    (
        "redis-py name",
        r#"redis.exceptions.ConnectionError: Error -2 connecting to redis:6379. Name or service not known."#,
        "name-unresolved redis:6379",
    ),
    (
        "librdkafka refused",
        r#"10.0.0.1:9092/bootstrap: Connect to ipv4#10.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)"#,
        "connection-refused 10.0.0.1:9092",
    ),
    (
        "Mongo's driver closed",
        r#"MongoServerSelectionError: connection <monitor> to 10.0.0.7:27017 closed"#,
        "connection-reset 10.0.0.7:27017",
    ),
    (
        "Mongo's driver no answer",
        r#"MongoNetworkTimeoutError: connection 3 to 10.0.0.7:27017 timed out"#,
        "connection-timed-out 10.0.0.7:27017",
    ),
    (
        "Prisma not reached",
        r#"PrismaClientInitializationError: Can't reach database server at `db`:`5432`"#,
        "not-reached db:5432",
    ),
    (
        "StackExchange not reached",
        r#"StackExchange.Redis.RedisConnectionException: It was not possible to connect to the redis server(s). UnableToConnect on redis:6379/Interactive"#,
        "not-reached redis:6379",
    ),
    (
        "botocore not reached",
        r#"botocore.exceptions.EndpointConnectionError: Could not connect to the endpoint URL: "https://s3.eu-west-1.amazonaws.com/""#,
        "not-reached s3.eu-west-1.amazonaws.com",
    ),
    (
        "no connection of a pool",
        r#"java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available, request timed out after 30000ms."#,
        "answer-late",
    ),
    (
        "no connection of a pool",
        r#"org.apache.kafka.common.errors.TimeoutException: Topic t not present in metadata after 60000 ms."#,
        "answer-late",
    ),
    (
        "EACCES",
        r#"IllegalOperation: Attempted to create a lock file on a read-only directory: /var/lib/x"#,
        "file-permission",
    ),
    (
        "EADDRINUSE",
        r#"[2024-01-01 00:00:00 +0000] [1] [ERROR] Connection in use: ('0.0.0.0', 8000)"#,
        "address-in-use",
    ),
    (
        "JVM memory",
        r#"OpenJDK 64-Bit Server VM warning: INFO: os::commit_memory(0x0, 1, 0) failed; error='Not enough space' (errno=12)"#,
        "runtime-out-of-memory",
    ),
    (
        "no such program",
        r#"ImportError: libGL.so.1: cannot open shared object file: No such file or directory"#,
        "command-not-found",
    ),
    (
        "no such program",
        r#"/bin/sh: can't open '/app/start.sh': No such file or directory"#,
        "command-not-found",
    ),
    ("no such program", r#"bash: /app/start.sh: No such file or directory"#, "command-not-found"),
    ("no such program", r#"npm ERR! Missing script: "start""#, "command-not-found"),
    (
        "no such program",
        r#"It was not possible to find any compatible framework version"#,
        "command-not-found",
    ),
    (
        "EACCES",
        r#"Failed opening the RDB file dump.rdb (in server root dir /x) for saving: Permission denied"#,
        "file-permission",
    ),
    ("EACCES", r#"FATAL:  data directory "/x" has invalid permissions"#, "file-permission"),
    ("EACCES", r#"Cookie file /x/.erlang.cookie must be accessible by owner only"#, "file-permission"),
    ("missing variable", r#"error: Environment variable not found: DATABASE_URL."#, "setting-missing"),
    (
        "missing setting",
        r#"connection to server at "db.shop.svc" (10.244.107.13), port 5432 failed: fe_sendauth: no password supplied"#,
        "setting-missing",
    ),
    (
        "missing setting",
        r#"botocore.exceptions.NoRegionError: You must specify a region."#,
        "setting-missing",
    ),
    (
        "missing setting",
        r#"System.InvalidOperationException: The ConnectionString property has not been initialized."#,
        "setting-missing",
    ),
    ("malformed setting", r#"Unrecognized VM option 'UseConcMarkSweepGC'"#, "setting-malformed"),
    ("malformed setting", r#"Invalid maximum heap size: -Xmx1Gi"#, "setting-malformed"),
    (
        "malformed setting",
        r#"django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty."#,
        "setting-malformed",
    ),
    (
        "malformed setting",
        r#"pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings"#,
        "setting-malformed",
    ),
    (
        "malformed setting",
        r#"MongoParseError: Invalid scheme, expected connection string to start with "mongodb://" or "mongodb+srv://""#,
        "setting-malformed",
    ),
    (
        "malformed setting",
        r#"/etc/coredns/Corefile:5 - Error during parsing: Unknown directive 'foo'"#,
        "setting-malformed",
    ),
    ("stack trace", r#"fatal error: all goroutines are asleep - deadlock!"#, "stack-trace"),
    ("no answer", r#"psycopg2.OperationalError: timeout expired"#, "connection-timed-out"),
    (
        "not reached",
        r#"pymongo.errors.ServerSelectionTimeoutError: No servers found yet, Timeout: 30s, Topology Description: <T>"#,
        "not-reached",
    ),
    (
        "not reached",
        r#"MongooseServerSelectionError: Could not connect to any servers in your MongoDB Atlas cluster. One common reason is that you're trying to access the database from an IP that isn't whitelisted."#,
        "not-reached",
    ),
    (
        "rights in a database",
        r#"pymongo.errors.OperationFailure: not authorized on xserver to execute command { createIndexes: "tweets" }"#,
        "password-rejected",
    ),
    ("rights in a database", r#"ERROR: permission denied for schema public"#, "password-rejected"),
    (
        "rights in a database",
        r#"ERROR 1142 (42000): SELECT command denied to user 'app'@'10.0.0.1' for table 't'"#,
        "password-rejected",
    ),
    (
        "rights in a database",
        r#"redis.exceptions.NoPermissionError: NOPERM this user has no permissions to run the 'ping' command"#,
        "password-rejected",
    ),
    (
        "rights in a database",
        r#"org.apache.kafka.common.errors.TopicAuthorizationException: Not authorized to access topics: [orders]"#,
        "password-rejected",
    ),
    (
        "rights in a database",
        r#"NOT_ALLOWED - access to vhost 'prod' refused for user 'app'"#,
        "password-rejected",
    ),
    (
        "rights in a database",
        r#"action [indices:admin/create] is unauthorized for user [app] with effective roles [viewer]"#,
        "password-rejected",
    ),
    (
        "rights in a database",
        r#"psql: error: connection to server at "pg" (10.0.0.1), port 5432 failed: FATAL:  role "odoo" does not exist"#,
        "password-rejected",
    ),
    (
        "other servers' password",
        r#"pika.exceptions.ProbableAuthenticationError: ConnectionClosedByBroker: (403) 'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN.'"#,
        "password-rejected",
    ),
    (
        "rights in a database",
        r#"elasticsearch.AuthenticationException: AuthenticationException(401, 'security_exception', 'missing authentication credentials for REST request [/]')"#,
        "password-rejected",
    ),
    (
        "rights in a database",
        r#"Bunny::AuthenticationFailureError: Authentication with RabbitMQ failed. Please check your connection settings."#,
        "password-rejected",
    ),
    (
        "unknown authority",
        r#"[io_tls] flb_io_tls.c:304 X509 - Certificate verification failed, e.g. CRL, CA or signature check"#,
        "tls UnknownAuthority",
    ),
    ("missing variable", r#"HF_TOKEN not found"#, "setting-missing"),
    (
        "missing setting",
        r#"[next-auth][error][NO_SECRET] Please define a `secret` in production."#,
        "setting-missing",
    ),
    (
        "missing setting",
        r#"System.IO.FileNotFoundException: The configuration file 'appsettings.json' was not found and is not optional."#,
        "setting-missing",
    ),
    ("missing variable", r#"Error: API_KEY is missing"#, "setting-missing"),
    (
        "Erlang name",
        r#"Failed to get nodes from k8s - {failed_connect,[{to_address,{"kubernetes.default.svc.cluster.local",443}},{inet,[inet],nxdomain}]}"#,
        "name-unresolved kubernetes.default.svc.cluster.local:443",
    ),
    ("nslookup name", r#"** server can't find db.shop: NXDOMAIN"#, "name-unresolved db.shop"),
    (
        "Erlang refused",
        r#"{failed_connect,[{to_address,{"10.96.0.1",443}},{inet,[inet],econnrefused}]}"#,
        "connection-refused 10.96.0.1:443",
    ),
    ("late", r#"read tcp 10.1.1.1:3456->10.0.0.5:5432: i/o timeout"#, "answer-late"),
    ("late", r#"net/http: TLS handshake timeout"#, "answer-late"),
    ("no answer", r#"java.net.SocketException: Network is unreachable"#, "connection-timed-out"),
    ("no answer", r#"httpx.ConnectTimeout"#, "connection-timed-out"),
    ("not reached", r#"httpx.ConnectError: All connection attempts failed"#, "not-reached"),
    (
        "Python late",
        r#"requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='api.shop.svc', port=443): Read timed out. (read timeout=10)"#,
        "answer-late api.shop.svc:443",
    ),
    ("late", r#"java.net.SocketTimeoutException: Read timed out"#, "answer-late"),
    ("late", r#"TimeoutError: timed out"#, "answer-late"),
    (
        "reset",
        r#"aiohttp.client_exceptions.ServerDisconnectedError: Server disconnected"#,
        "connection-reset",
    ),
    ("no answer", r#"redis.exceptions.TimeoutError: Timeout connecting to server"#, "connection-timed-out"),
    ("not reached", r#"kafka.errors.NoBrokersAvailable: NoBrokersAvailable"#, "not-reached"),
    (
        "not reached",
        r#"com.mysql.cj.jdbc.exceptions.CommunicationsException: Communications link failure"#,
        "not-reached",
    ),
    (
        "not reached",
        r#"com.datastax.oss.driver.api.core.AllNodesFailedException: Could not reach any contact point, make sure you've provided valid addresses"#,
        "not-reached",
    ),
    ("not reached", r#"io.grpc.StatusRuntimeException: UNAVAILABLE: io exception"#, "not-reached"),
    (
        "Kafka disconnected",
        r#"[Producer clientId=producer-1] Bootstrap broker kafka:9092 (id: -1 rack: null) disconnected"#,
        "connection-reset kafka:9092",
    ),
    (
        "not reached",
        r#"redis.clients.jedis.exceptions.JedisConnectionException: Failed to connect to any host resolved for DNS name."#,
        "not-reached",
    ),
    ("reset", r#"Error: Connection terminated unexpectedly"#, "connection-reset"),
    ("no answer", r#"Error: Connection terminated due to connection timeout"#, "connection-timed-out"),
    (
        "not reached",
        r#"MaxRetriesPerRequestError: Reached the max retries per request limit (which is 20)."#,
        "not-reached",
    ),
    ("not reached", r#"ClusterAllFailedError: Failed to refresh slots cache."#, "not-reached"),
    (
        "reset",
        r#"Error: Client network socket disconnected before secure TLS connection was established"#,
        "connection-reset",
    ),
    ("malformed setting", r#"TypeError [ERR_INVALID_URL]: Invalid URL"#, "setting-malformed"),
    (
        "no such program",
        r#"Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'express' imported from /app/index.js"#,
        "command-not-found",
    ),
    (
        "late",
        r#"Npgsql.NpgsqlException: Exception while reading from stream ---> System.TimeoutException: Timeout during reading attempt"#,
        "answer-late",
    ),
    (
        "Npgsql not reached",
        r#"Npgsql.NpgsqlException (0x80004005): Failed to connect to 10.0.0.1:5432"#,
        "not-reached 10.0.0.1:5432",
    ),
    (
        "not reached",
        r#"RabbitMQ.Client.Exceptions.BrokerUnreachableException: None of the specified endpoints were reachable"#,
        "not-reached",
    ),
    (
        "not reached",
        r#"System.TimeoutException: A timeout occurred after 30000ms selecting a server using CompositeServerSelector"#,
        "not-reached",
    ),
    (
        "not reached",
        r#"%4|1|ERROR|rdkafka#consumer-1| [thrd:app]: rdkafka#consumer-1: kafka:9092/bootstrap: 1/1 brokers are down"#,
        "not-reached",
    ),
    (
        "late",
        r#"TaskCanceledException: The request was canceled due to the configured HttpClient.Timeout of 100 seconds elapsing."#,
        "answer-late",
    ),
    (
        "no answer",
        r#"Microsoft.Data.SqlClient.SqlException: Connection Timeout Expired. The timeout period elapsed while attempting to consume the pre-login handshake acknowledgement."#,
        "connection-timed-out",
    ),
    (
        "refused",
        r#"thread 'main' panicked at src/main.rs:5: called `Result::unwrap()` on an `Err` value: Os { code: 111, kind: ConnectionRefused, message: "x" }"#,
        "connection-refused",
    ),
    (
        "reqwest not reached",
        r#"Error: error sending request for url (http://svc.shop:80/)"#,
        "not-reached svc.shop:80",
    ),
    ("no answer", r#"Net::OpenTimeout: execution expired"#, "connection-timed-out"),
    ("late", r#"Net::ReadTimeout with #<TCPSocket:(closed)>"#, "answer-late"),
    (
        "not reached",
        r#"Bunny::TCPConnectionFailedForAllHosts: Could not establish TCP connection to any of the configured hosts"#,
        "not-reached",
    ),
    (
        "not reached",
        r#"Mongo::Error::NoServerAvailable: No primary server is available in cluster"#,
        "not-reached",
    ),
    ("no answer", r#"PDOException: SQLSTATE[HY000] [2002] Operation timed out"#, "connection-timed-out"),
    (
        "not reached",
        r#"MongoDB\Driver\Exception\ConnectionTimeoutException: No suitable servers found (`serverSelectionTryOnce` set)"#,
        "not-reached",
    ),
    (
        "reset",
        r#"_mysql_exceptions.OperationalError: (2006, 'MySQL server has gone away')"#,
        "connection-reset",
    ),
    (
        "nginx upstreams",
        r#"2024/01/01 00:00:00 [error] 7#7: *1 no live upstreams while connecting to upstream, client: 10.0.0.1"#,
        "upstream-error 502",
    ),
    ("no such program", r#"/usr/bin/env: 'node': No such file or directory"#, "command-not-found"),
    ("no such program", r#"env: can't execute 'bash': No such file or directory"#, "command-not-found"),
    ("ENOEXEC", r#"Fatal glibc error: CPU does not support x86-64-v2"#, "exec-format"),
    ("ENOEXEC", r#"Illegal instruction (core dumped)"#, "exec-format"),
    (
        "lettuce not reached",
        r#"io.lettuce.core.RedisConnectionException: Unable to connect to redis/<unresolved>:6379"#,
        "not-reached redis:6379",
    ),
    ("unresolved", r#"** (Req.TransportError) :nxdomain"#, "name-unresolved"),
];

/// Lines that are no reason to end for whoever says them: what a server tells of its clients, and who came through.
pub(super) const OF_OTHERS: &[(&str, &str)] = &[
    (
        "Postgres, of a session",
        r#"2021-07-05 20:46:03.964 GMT [1341] FATAL:  password authentication failed for user "sonarUser""#,
    ),
    (
        "Postgres, of a session",
        r#"2024-01-01 00:00:00.000 UTC [77] FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "u", database "d""#,
    ),
    (
        "Postgres, of a session",
        r#"2024-01-01 00:00:00.000 UTC [77] LOG:  could not receive data from client: Connection reset by peer"#,
    ),
    (
        "Postgres, of a session",
        r#"2024-01-01 00:00:00.000 UTC [77] ERROR:  permission denied for table users at character 15"#,
    ),
    (
        "MySQL, of a client",
        r#"2024-01-01T00:00:00.000000Z 12 [Note] [MY-010926] [Server] Access denied for user 'root'@'10.0.0.1' (using password: YES)"#,
    ),
    (
        "MySQL, of a client",
        r#"2024-01-01  0:00:00 12 [Warning] Access denied for user 'root'@'10.0.0.1' (using password: YES)"#,
    ),
    (
        "who came through",
        r#"WARN reconnected to 10.0.0.1:5432 after: dial tcp 10.0.0.1:5432: connect: connection refused"#,
    ),
];
