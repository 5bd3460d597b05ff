package shareddata

import "strings"

const defaultType = "application/octet-stream"

// types is the built-in table of media types. That of the system is not
// consulted, so that a file has the same type on every machine.
var types = map[string]string{
	".7z": "application/x-7z-compressed", ".aac": "audio/aac", ".apk": "application/vnd.android.package-archive",
	".apng": "image/apng", ".atom": "application/atom+xml", ".avi": "video/x-msvideo", ".avif": "image/avif",
	".bmp": "image/bmp", ".bz2": "application/x-bzip2", ".cjs": "text/javascript", ".conf": "text/plain",
	".css": "text/css", ".csv": "text/csv", ".deb": "application/vnd.debian.binary-package",
	".dmg": "application/x-apple-diskimage", ".doc": "application/msword",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".eot":  "application/vnd.ms-fontobject", ".epub": "application/epub+zip", ".flac": "audio/flac",
	".geojson": "application/geo+json", ".gif": "image/gif", ".glb": "model/gltf-binary", ".gltf": "model/gltf+json",
	".gz": "application/gzip", ".heic": "image/heic", ".htm": "text/html", ".html": "text/html",
	".ico": "image/x-icon", ".ics": "text/calendar", ".ini": "text/plain", ".jar": "application/java-archive",
	".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".js": "text/javascript", ".json": "application/json",
	".jsonld": "application/ld+json", ".jxl": "image/jxl", ".log": "text/plain", ".m3u8": "application/vnd.apple.mpegurl",
	".m4a": "audio/mp4", ".m4v": "video/mp4", ".map": "application/json", ".markdown": "text/markdown",
	".md": "text/markdown", ".mid": "audio/midi", ".mjs": "text/javascript", ".mkv": "video/x-matroska",
	".mov": "video/quicktime", ".mp3": "audio/mpeg", ".mp4": "video/mp4", ".mpd": "application/dash+xml",
	".mpeg": "video/mpeg", ".odp": "application/vnd.oasis.opendocument.presentation",
	".ods": "application/vnd.oasis.opendocument.spreadsheet", ".odt": "application/vnd.oasis.opendocument.text",
	".oga": "audio/ogg", ".ogg": "audio/ogg", ".ogv": "video/ogg", ".opus": "audio/ogg", ".otf": "font/otf",
	".pdf": "application/pdf", ".png": "image/png", ".ppt": "application/vnd.ms-powerpoint",
	".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".ps":   "application/postscript", ".rar": "application/vnd.rar", ".rpm": "application/x-rpm",
	".rss": "application/rss+xml", ".rtf": "application/rtf", ".svg": "image/svg+xml", ".tar": "application/x-tar",
	".tgz": "application/gzip", ".tif": "image/tiff", ".tiff": "image/tiff", ".toml": "application/toml",
	".ts": "video/mp2t", ".tsv": "text/tab-separated-values", ".ttc": "font/collection", ".ttf": "font/ttf",
	".txt": "text/plain", ".vcf": "text/vcard", ".vtt": "text/vtt", ".wasm": "application/wasm", ".wav": "audio/wav",
	".weba": "audio/webm", ".webm": "video/webm", ".webmanifest": "application/manifest+json", ".webp": "image/webp",
	".woff": "font/woff", ".woff2": "font/woff2", ".xhtml": "application/xhtml+xml", ".xls": "application/vnd.ms-excel",
	".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xml": "application/xml",
	".xsl": "application/xslt+xml", ".xz": "application/x-xz", ".yaml": "application/yaml", ".yml": "application/yaml",
	".zip": "application/zip", ".zst": "application/zstd",
}

// typeOf gives the media type of a file by the longest known extension of its
// name: ".tar.gz" before ".gz".
func (s *site) typeOf(name string) string {
	base := strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	for i := strings.IndexByte(base, '.'); i >= 0; {
		ext := base[i:]
		if t, ok := s.types[ext]; ok {
			return t
		}
		if t, ok := types[ext]; ok {
			return withCharset(t)
		}
		next := strings.IndexByte(base[i+1:], '.')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return defaultType
}

// withCharset names the charset of text, which would be guessed otherwise.
func withCharset(mediaType string) string {
	if strings.HasPrefix(mediaType, "text/") && !strings.Contains(mediaType, ";") {
		return mediaType + "; charset=utf-8"
	}
	return mediaType
}
