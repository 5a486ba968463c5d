// Package errors stands in for the SDK's package of the same path; see stubs/README.md.
package errors

// TencentCloudSDKError would be an answer of the cloud.
type TencentCloudSDKError struct{}

func (*TencentCloudSDKError) Error() string { return "tencent-vpc backend: not built in" }
