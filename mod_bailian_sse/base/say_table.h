/* SPDX-License-Identifier: Apache-2.0 */
/* say_table - every sentence for the admin: X(code, English, Chinese) of one
   that stands alone, F(...) of one that is said of a field, whose name is put
   before it. Codes are told to clients (docs/admin-api.md) and stay. */
#ifndef BL_SAY_TABLE_H
#define BL_SAY_TABLE_H

#define BL_SAY_TABLE(X, F)                                                                            \
    F("text", "must be a text without control characters",                                            \
      "必须是不含控制字符的文本")                                                                     \
    F("text_length", "must have at most {1} bytes", "不得超过 {1} 字节")                              \
    F("names", "must be an array of at most {1} names",                                               \
      "必须是数组，最多 {1} 个名称")                                                                  \
    F("name_length", "must hold names of 1 to {1} bytes",                                             \
      "其中每个名称须为 1 至 {1} 字节")                                                               \
    F("needed", "is needed", "为必填项")                                                              \
    F("boolean", "must be true or false", "必须是 true 或 false")                                     \
    F("boolean_or_null", "must be true, false or null",                                               \
      "必须是 true、false 或 null")                                                                   \
    F("number", "must be a whole number from {1} to {2}",                                             \
      "必须是 {1} 至 {2} 之间的整数")                                                                 \
    F("count", "must be a whole number from 1 to 1000000000, or null",                                \
      "必须是 1 至 1000000000 之间的整数，或 null")                                                   \
    F("tokens", "must be a whole number from 1 to 1000000000000000, or null",                         \
      "必须是 1 至 1000000000000000 之间的整数，或 null")                                             \
    F("object", "must be a JSON object", "必须是 JSON 对象")                                          \
    F("unknown_member", "is not a member of this object", "不是该对象的成员")                         \
    F("string", "must be a text", "必须是文本")                                                       \
    F("name",                                                                                         \
      "must be letters, digits, dots, hyphens and underscores, not beginning "                        \
      "with a dot or hyphen",                                                                         \
      "只能包含字母、数字、点、连字符和下划线，且不能以点或连字符开头")                               \
    F("name_within",                                                                                  \
      "must be 1 to {1} letters, digits, dots, hyphens and underscores",                              \
      "须为 1 至 {1} 个字母、数字、点、连字符或下划线")                                               \
    F("path", "must be an absolute path", "必须是绝对路径")                                           \
    F("secret", "must be 8 to 4096 printable ASCII characters without spaces",                        \
      "须为 8 至 4096 个可打印的 ASCII 字符，不含空格")                                               \
    F("note", "must be 1 to 500 bytes of text on one line, or null",                                  \
      "须为 1 至 500 字节的单行文本，或 null")                                                        \
    F("issuer", "must be 1 to 512 bytes of text, or null",                                            \
      "须为 1 至 512 字节的文本，或 null")                                                            \
    F("time",                                                                                         \
      "must be a time as 2026-11-20T11:22:33Z, or milliseconds since 1970",                           \
      "必须是时间，如 2026-11-20T11:22:33Z，或自 1970 年起的毫秒数")                                  \
    F("time_or_null", "must be a time as 2026-11-20T11:22:33Z, or null",                              \
      "必须是时间，如 2026-11-20T11:22:33Z，或 null")                                                 \
    F("time_past", "must lie in the past", "必须早于现在")                                            \
    F("day", "must be a day as 2026-11-20", "必须是日期，如 2026-11-20")                              \
    F("flow",                                                                                         \
      "must be none, full_thoughts, message_format, message_format_plus or "                          \
      "agent_format",                                                                                 \
      "只能是 none、full_thoughts、message_format、message_format_plus 或 "                    \
      "agent_format")                                                                                 \
    F("pace", "must be off, fixed or exponential",                                                    \
      "只能是 off、fixed 或 exponential")                                                             \
    F("shape", "must be generic, dingtalk, wecom or feishu",                                          \
      "只能是 generic、dingtalk、wecom 或 feishu")                                                    \
    F("caller_kind", "must be token or jwt", "只能是 token 或 jwt")                                   \
    F("outcome",                                                                                      \
      "must be completed, length, cancelled, timeout, error or interrupted",                          \
      "只能是 completed、length、cancelled、timeout、error 或 interrupted")                           \
    F("outcome_or_live",                                                                              \
      "must be live, completed, length, cancelled, timeout, error or "                                \
      "interrupted",                                                                                  \
      "只能是 live、completed、length、cancelled、timeout、error 或 "                        \
      "interrupted")                                                                                  \
    F("group", "must be outcome, code, app, upstream, key or attempts",                               \
      "只能是 outcome、code、app、upstream、key 或 attempts")                                         \
    F("usage_group", "must be day, user, app or key",                                                 \
      "只能是 day、user、app 或 key")                                                                 \
    F("format_csv", "must be json or csv", "只能是 json 或 csv")                                      \
    F("format_markdown", "must be json or markdown",                                                  \
      "只能是 json 或 markdown")                                                                      \
    F("range", "must be 5m or 1h", "只能是 5m 或 1h")                                                 \
    F("series", "must be names of series, with commas",                                               \
      "必须是序列名称，用逗号分隔")                                                                   \
    F("flag", "must be 0 or 1", "只能是 0 或 1")                                                      \
    F("cursor", "must be what \"next\" of the page before says",                                      \
      "必须是上一页的 next")                                                                          \
    F("days", "must be a number of days, 1 to 3650, or null",                                         \
      "须为 1 至 3650 的天数，或 null")                                                               \
    F("minutes", "must be a whole number from 0 (no longer silent) to 10080",                         \
      "必须是 0（结束静音）至 10080 之间的整数")                                                      \
    F("leeway", "must be a number of seconds from 0 to 600",                                          \
      "须为 0 至 600 的秒数")                                                                         \
    F("scopes", "must be a list of ask, read and manage",                                             \
      "必须是由 ask、read、manage 组成的列表")                                                        \
    F("apps", "must be a list of at most 64 names of apps",                                           \
      "必须是应用名称的列表，最多 64 个")                                                             \
    F("stream_ids", "must be a list of 1 to 500 stream ids",                                          \
      "必须是 1 至 500 个流编号的列表")                                                               \
    F("key_ids", "must be a list of 1 to 64 numbers",                                                 \
      "必须是 1 至 64 个编号的列表")                                                                  \
    F("keys", "must be a list of 1 to 1000 keys, beside dryRun",                                      \
      "必须是 1 至 1000 个 Key 的列表，另可有 dryRun")                                                \
    F("owner", "must be an owner as user:li, or null",                                                \
      "必须是所有者，如 user:li，或 null")                                                            \
    F("kind", "must be \"bailian-app\"", "必须是 \"bailian-app\"")                                    \
    F("app_id",                                                                                       \
      "must be letters, digits and . _ : / - without two dots in a row",                              \
      "只能包含字母、数字和 . _ : / -，且不能有两个连续的点")                                         \
    F("policy",                                                                                       \
      "must be \"cancel\", \"drain\" or \"detach 60s\" (1 to 3600 seconds)",                          \
      "必须是 \"cancel\"、\"drain\" 或 \"detach 60s\"（1 至 3600 秒）")                               \
    F("webhook_ascii", "must be plain ASCII without spaces and fragment (#)",                         \
      "只能是 ASCII 字符，不含空格和片段（#）")                                                       \
    F("url_ascii", "must be plain ASCII without spaces and backslashes",                              \
      "只能是 ASCII 字符，不含空格和反斜杠")                                                          \
    F("url_user", "must not hold a user name or an @", "不得含有用户名或 @")                          \
    F("url_query", "must not have a query (?)", "不得含有查询参数（?）")                              \
    F("url_fragment", "must not have a fragment (#)", "不得含有片段（#）")                            \
    F("url_percent", "must not hold % in its path", "路径中不得含有 %")                               \
    F("url_path", "must have a path without //, /./ and /../",                                        \
      "路径中不得含有 //、/./ 和 /../")                                                               \
    F("url_slash", "must not end with a slash", "不得以斜杠结尾")                                     \
    F("url_scheme", "must begin with https:// (or http://)",                                          \
      "必须以 https://（或 http://）开头")                                                            \
    F("url_host", "must name a host", "必须指明主机")                                                 \
    F("url_host_name",                                                                                \
      "must name a host of letters, digits, dots and hyphens",                                        \
      "主机名只能包含字母、数字、点和连字符")                                                         \
    F("url_ipv6", "must name an IPv6 address in brackets rightly",                                    \
      "方括号内的 IPv6 地址无效")                                                                     \
    F("url_colon", "must not end its host with a colon", "主机不得以冒号结尾")                        \
    F("url_port", "must have a port from 1 to 65535", "端口须为 1 至 65535")                          \
    F("algorithm",                                                                                    \
      "must be RS256 or ES256; an issuer with HS256 stands in httpd.conf "                            \
      "(BailianJwtIssuer), its secret in a file",                                                     \
      "必须是 RS256 或 ES256；使用 HS256 的签发者写在 httpd.conf "                       \
      "中（BailianJwtIssuer），其密钥写在文件里")                                                     \
    F("pem", "must be a public key in PEM", "必须是 PEM 格式的公钥")                                  \
    F("pem_es256", "must be a public key on the curve P-256 in PEM for ES256",                        \
      "用于 ES256 时必须是 P-256 曲线的 PEM 公钥")                                                    \
    F("pem_rs256",                                                                                    \
      "must be an RSA public key of 2048 bits or more in PEM for RS256",                              \
      "用于 RS256 时必须是 2048 位以上的 RSA PEM 公钥")                                               \
    F("mac_not_pem", "must be a secret for HS256, not a PEM file",                                    \
      "用于 HS256 时必须是密钥，而不是 PEM 文件")                                                     \
    F("mac_length", "must be a secret of 32 to 512 bytes for HS256",                                  \
      "用于 HS256 时密钥须为 32 至 512 字节")                                                         \
    F("issuer_only", "is of JWT issuers only", "仅用于 JWT 签发者")                                   \
    F("fixed", "cannot be changed", "不能修改")                                                       \
    X("revoked", "It was revoked, which is for good: add a new one.",                                 \
      "已被吊销，不可恢复：请新建一个。")                                                             \
    F("taken", "is taken", "已被使用")                                                                \
    F("alerts_most", "would be the 33rd alert: 32 at most",                                           \
      "这将是第 33 个告警：最多 32 个")                                                               \
    X("no_upstream", "There is no upstream \"{1}\": add it first.",                                   \
      "没有名为“{1}”的上游：请先添加。")                                                              \
    X("version_now", "Its version is now {1}.", "其当前版本为 {1}。")                                 \
    X("version_needed",                                                                               \
      "Send the version that the change is based on, as If-Match: \"7\".",                            \
      "请发送修改所基于的版本，如 If-Match: \"7\"。")                                                 \
    X("keys_to_enter",                                                                                \
      "The upstream lies elsewhere now: {1} of its keys must be entered "                             \
      "again, with the same name, before they are used.",                                             \
      "上游已改为其他地址：其 {1} 个 Key 须以相同名称重新输入后才会使用。")                           \
    X("key_moved",                                                                                    \
      "Its upstream was moved: enter the key again (replace) before it is "                           \
      "used.",                                                                                        \
      "其上游已更换地址：请重新输入该 Key（更换密钥）后再使用。")                                     \
    X("import_wrong", "{1} of {2} keys are wrong; none was added.",                                   \
      "{2} 个 Key 中有 {1} 个有误；未添加任何 Key。")                                                 \
    X("user_or_before", "One of user and before is needed.",                                          \
      "user 与 before 至少填写一项。")                                                                \
    X("days_order",                                                                                   \
      "The first day must be no later than the last, and at most 365 days "                           \
      "earlier.",                                                                                     \
      "起始日期不得晚于结束日期，且最多相差 365 天。")                                                \
    X("buckets", "At most 1440 buckets from \"from\" to \"to\".",                                     \
      "从 from 到 to 最多 1440 个时间段。")                                                           \
    X("not_authenticated",                                                                            \
      "Nothing authenticates callers here. Add to this Location: AuthType "                           \
      "Basic, AuthName \"Bailian admin\", AuthUserFile /etc/bailian/admins, "                         \
      "Require valid-user",                                                                           \
      "此处未配置身份验证。请在该 Location 中加入：AuthType Basic、AuthName "       \
      "\"Bailian admin\"、AuthUserFile /etc/bailian/admins、Require "                               \
      "valid-user")                                                                                   \
    X("role",                                                                                         \
      "This needs the role {1}, and \"{2}\" has {3}. To give it, add to this "                        \
      "Location: BailianAdminRole {1} user \"{2}\"",                                                  \
      "此操作需要角色 {1}，而“{2}”的角色是 {3}。如要授予，请在该 Location " \
      "中加入：BailianAdminRole {1} user \"{2}\"")                                                    \
    X("text_role", "What people wrote is shown to the role operator.",                                \
      "用户所写的内容只对 operator 角色显示。")                                                       \
    X("feeds_most",                                                                                   \
      "Too many live views are open on this server process: close one, or "                           \
      "try again.",                                                                                   \
      "该服务器进程上打开的实时视图过多：请关闭一个，或稍后再试。")                                   \
    X("store_ok", "The database takes what is written.", "数据库可正常写入。")                        \
    X("store_failed", "The database cannot be written: {1}",                                          \
      "数据库无法写入：{1}")                                                                          \
    X("store_failed_fix",                                                                             \
      "See the error log, the free space of the disk, and bailianctl db "                             \
      "check.",                                                                                       \
      "请查看错误日志、磁盘剩余空间，并运行 bailianctl db check。")                                   \
    X("store_gone",                                                                                   \
      "The database file or its lock file was moved, deleted or replaced: "                           \
      "nothing is stored.",                                                                           \
      "数据库文件或其锁文件被移动、删除或替换：不再保存任何数据。")                                   \
    X("store_gone_fix",                                                                               \
      "Put back what was there: it is noticed by itself. Or restart httpd, "                          \
      "to "                                                                                           \
      "go on with what is there now.",                                                                \
      "请将原文件放回，会自动识别；或重启 httpd，改用现有文件。")                                     \
    X("store_full",                                                                                   \
      "The disk of the database is full: {1} MB are free, {2} rows wait in "                          \
      "memory.",                                                                                      \
      "数据库所在磁盘已满：剩余 {1} MB，{2} 条数据在内存中等待写入。")                                \
    X("store_full_fix",                                                                               \
      "Make room on it: what waits is written by itself within seconds.",                             \
      "请腾出空间：等待的数据会在几秒内自动写入。")                                                   \
    X("store_locked",                                                                                 \
      "Another program holds the database locked: {1} rows wait in memory.",                          \
      "其他程序锁住了数据库：{1} 条数据在内存中等待写入。")                                           \
    X("store_locked_fix",                                                                             \
      "Find it with fuser -v and the path of the database, and end it; what "                         \
      "waits is written by itself then.",                                                             \
      "请用 fuser -v "                                                                              \
      "加数据库路径找到该程序并结束它；之后等待的数据会自动写入。")                                   \
    X("store_readonly",                                                                               \
      "The database file or its folder cannot be written by httpd's user.",                           \
      "httpd 的运行用户无法写入数据库文件或其目录。")                                                 \
    X("store_readonly_fix",                                                                           \
      "Give both to that user, modes 0600 and 0700, and look whether the "                            \
      "file "                                                                                         \
      "system is mounted read-only.",                                                                 \
      "请将两者的属主改为该用户，权限分别为 0600 和 "                              \
      "0700，并检查文件系统是否以只读方式挂载。")                                                     \
    X("guard_ok",                                                                                     \
      "Checkpoints and writers of all processes exclude each other.",                                 \
      "所有进程的检查点与写入互斥。")                                                                 \
    X("guard_failed",                                                                                 \
      "The guard against SQLite's fault with checkpoints beside writers does "                        \
      "not work.",                                                                                    \
      "防止 SQLite 检查点与写入并发缺陷的保护未生效。")                                               \
    X("guard_failed_fix",                                                                             \
      "Put the database on a local file system that knows OFD locks.",                                \
      "请将数据库放在支持 OFD 锁的本地文件系统上。")                                                  \
    X("master_key_ok", "It opens the stored API keys.",                                               \
      "可解密已保存的 API Key。")                                                                     \
    X("master_key_failed", "{1} of the first {2} API keys cannot be opened.",                         \
      "前 {2} 个 API Key 中有 {1} 个无法解密。")                                                      \
    X("master_key_fix",                                                                               \
      "Put the master key back that they were sealed with, and restart "                              \
      "httpd; or enter these keys again.",                                                            \
      "请放回加密时所用的主密钥并重启 httpd；或重新输入这些 Key。")                                   \
    X("upstream_open",                                                                                \
      "It failed several times in a row: it is asked once every 5 s.",                                \
      "已连续多次失败：每 5 秒只探测一次。")                                                          \
    X("upstream_open_fix", "See its last error on the pages Keys and Ends.",                          \
      "请在“Key”与“重试与结束”页面查看最近的错误。")                                                  \
    X("upstream_no_key", "It has no API key that is enabled.",                                        \
      "没有已启用的 API Key。")                                                                       \
    X("upstream_no_key_fix", "Add or enable a key.", "请添加或启用一个 Key。")                        \
    X("upstream_unusable", "Each of its keys rests or was refused.",                                  \
      "其所有 Key 都在冷却或已被拒绝。")                                                              \
    X("upstream_unusable_fix",                                                                        \
      "Test its keys, and replace those that were refused.",                                          \
      "请测试其 Key，并更换被拒绝的 Key。")                                                           \
    X("upstream_ok", "{1} of {2} keys are usable.",                                                   \
      "{2} 个 Key 中 {1} 个可用。")                                                                   \
    X("app_ok", "There is a default app.", "已设置默认应用。")                                        \
    X("app_no_default", "No app is the default one.", "没有默认应用。")                               \
    X("app_none", "There is no app.", "还没有应用。")                                                 \
    X("app_fix", "Add an app, and make it the default one.",                                          \
      "请添加应用，并设为默认。")                                                                     \
    X("app_first_fix",                                                                                \
      "Add an upstream, a key for it, and an app that uses it; make that the "                        \
      "default one.",                                                                                 \
      "请依次添加上游、该上游的 Key，以及使用它的应用，并将其设为默认。")                             \
    X("request_timeout_ok", "mod_reqtimeout is loaded.",                                              \
      "已加载 mod_reqtimeout。")                                                                      \
    X("request_timeout_missing",                                                                      \
      "Clients that send their request slowly hold workers.",                                         \
      "缓慢发送请求的客户端会占用工作线程。")                                                         \
    X("request_timeout_fix",                                                                          \
      "Load mod_reqtimeout and set RequestReadTimeout header=20-40 body=20",                          \
      "请加载 mod_reqtimeout 并设置 RequestReadTimeout header=20-40 body=20")                         \
    X("mpm_ok", "The MPM's limits fit.", "MPM 的上限合适。")                                          \
    X("mpm_low",                                                                                      \
      "{1} warnings at the start: the MPM's limits do not fit the streams "                           \
      "that are allowed.",                                                                            \
      "启动时有 {1} 条警告：MPM 的上限与允许的流数不符。")                                            \
    X("mpm_fix", "See BL1811 to BL1815 in the error log.",                                            \
      "请查看错误日志中的 BL1811 至 BL1815。")                                                        \
    X("parking_ok", "Streams hold no worker.", "流不占用工作线程。")                                  \
    X("parking_not",                                                                                  \
      "The connection of this very request could not be parked: such streams "                        \
      "hold a worker each.",                                                                          \
      "本次请求的连接无法驻留：这样的流各占用一个工作线程。")                                         \
    X("parking_fix",                                                                                  \
      "Use the event MPM of httpd 2.4.63 or newer, and HTTP/1.1.",                                    \
      "请使用 httpd 2.4.63 或更新版本的 event MPM，以及 HTTP/1.1。")                                  \
    X("deflate_exempt", "mod_deflate is loaded; streams are exempt from it.",                         \
      "已加载 mod_deflate；流不经其压缩。")                                                           \
    X("deflate_none", "mod_deflate is not loaded.", "未加载 mod_deflate。")                           \
    X("reactor_turn", "The longest turn took {1} ms.",                                                \
      "最长的一轮用时 {1} 毫秒。")                                                                    \
    X("reactor_fix",                                                                                  \
      "The machine is too slow, or was suspended: look at its load.",                                 \
      "机器过慢或曾被挂起：请检查其负载。")                                                           \
    X("memory_none", "Streams hold {1} MiB; there is no budget.",                                     \
      "流占用 {1} MiB；未设置预算。")                                                                 \
    X("memory_ok", "Streams hold {1} MiB of {2}.",                                                    \
      "流占用 {1} MiB，预算 {2} MiB。")                                                               \
    X("memory_high", "Streams hold {1} MiB of {2}: new ones are refused.",                            \
      "流占用 {1} MiB，预算 {2} MiB：不再接受新的流。")                                               \
    X("memory_fix",                                                                                   \
      "Raise BailianMemoryBudget if the machine has more, or allow fewer "                            \
      "streams.",                                                                                     \
      "若机器内存充足，请调大 BailianMemoryBudget，或减少允许的流数。")                               \
    X("proxy", "A proxy stands between this server and the browser.",                                 \
      "本服务器与浏览器之间有代理。")                                                                 \
    X("proxy_fix",                                                                                    \
      "Let it pass events on at once. nginx: proxy_buffering off; "                                   \
      "proxy_http_version 1.1; proxy_read_timeout 300s. httpd: ProxyPass ... "                        \
      "flushpackets=on",                                                                              \
      "请让它立即转发事件。nginx：proxy_buffering off; proxy_http_version "                \
      "1.1; proxy_read_timeout 300s。httpd：ProxyPass ... flushpackets=on")                           \
    X("http10",                                                                                       \
      "The request came as HTTP/1.0: the answer has no chunks, and what "                             \
      "stands between may wait for its end.",                                                         \
      "请求以 HTTP/1.0 到达：回答不分块，中间设备可能等到结束才转发。")                               \
    X("http10_fix", "nginx: proxy_http_version 1.1",                                                  \
      "nginx：proxy_http_version 1.1")                                                                \
    X("notParkedHttp2", "HTTP/2: each stream holds a worker thread.",                                 \
      "HTTP/2：每个流占用一个工作线程。")                                                             \
    X("notParked", "This connection holds a worker thread while it streams.",                         \
      "该连接在传输期间占用一个工作线程。")                                                           \
    X("not_parked_fix",                                                                               \
      "Use the event MPM of httpd 2.4.63 or newer, BailianAsync auto, and no "                        \
      "filter that may wait in the output chain.",                                                    \
      "请使用 httpd 2.4.63 或更新版本的 event MPM 和 BailianAsync "                         \
      "auto，且输出链中没有可能等待的过滤器。")

#endif
