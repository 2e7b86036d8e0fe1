//go:build !race

package publishing_test

const stride = 1
